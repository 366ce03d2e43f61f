"""`mrt.prover=anchored_seen`: the reference scored as in `anchored`, plus the other answers drawn as in `seen` (ours).

J = P(the reference) + the probability of the other right stems drawn. What `likelihood` misses, other spellings, is
added where one is drawn, and no rare one is blown up. It is below J by what is neither the reference nor drawn.
Temperature 1, as scored prompts: the two parts must be of one distribution.
"""

from mrt_verl.provers.anchored import AnchoredProver
from mrt_verl.provers.seen import own_probability


class AnchoredSeenProver(AnchoredProver):
    """The reference's probability and the probability of the other answers drawn."""

    is_unbiased = False
    stem_weight = staticmethod(own_probability)
