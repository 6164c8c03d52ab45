"""Figure 4, an ensemble of six networks. Its claim: C23."""
