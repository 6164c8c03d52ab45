"""How the networks of the study of sharpness are drawn and called."""

from bnrepro.exhibits.sharpness.claims import DECAY, LARGE, NO_DECAY, SHORT, SMALL
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GREEN, VERMILLION, Line

KINDS = {
    SMALL: Line("small mini-batches", BLUE, "-", "s"),
    LARGE: Line("large mini-batches", VERMILLION, DASHED, "o"),
    SHORT: Line("small, stopped early", GREEN, DOTTED, "^"),
}
DECAYS = {NO_DECAY: "no weight decay", DECAY: f"weight decay {DECAY:g}"}
