r"""`mrt.prover=seen`: the probability of the right answers drawn, each distinct one counted once (ours).

    J = sum over distinct stems s of  p_s * c_s / n_s

as `ht` (stems.py), without its division by 1 - (1 - p_s)^G. Let q_s be the probability that an answer which passes
through s ends right there and is right, m_s = (1 - p_s)^G that no answer of G passes through s, r_s = 1 - m_s. Then

    E[J] = sum of p_s q_s r_s,    bias = - sum of p_s q_s m_s,    variance =
    sum over s of p_s^2 (q_s^2 m_s r_s + q_s (1 - q_s) E[1 / n_s; n_s >= 1]) + sum over s != t of p_s p_t q_s q_t C_st
    C_st = (1 - p_s - p_t)^G - m_s m_t                     if neither stem begins with the other
    C_st = r_s m_t - (m_t - m_s) / (1 - p_t / p_s)         if t begins with s

with n_s binomial (G, p_s). In expectation it is never above the truth: it lacks what G answers leave unseen. That bias
partly cancels in progress, the noise of `ht` does not; G = 1 and 2 are its uses, for answers of few spellings. Of
worked explanations each draw is another one, of next to no probability: they are refused.
"""

from mrt_verl.provers.spelling import required_spellings
from mrt_verl.provers.stems import StemProver
from mrt_verl.settings import MRTSettings


def own_probability(p: float, count: int) -> float:
    """p itself, whatever the number of answers."""
    return p


class SeenProver(StemProver):
    """G forced answers, each stem weighted by its own probability and shared by the samples through it."""

    is_unbiased = False
    default_branches = 1
    stem_weight = staticmethod(own_probability)

    @classmethod
    def check(cls, settings: MRTSettings) -> None:
        super().check(settings)
        required_spellings(
            settings, "7", why=", because an answer with its explanation is never drawn twice. Use mrt.prover=ht"
        )
