"""`mrt.prover=pooled`: the probability of every spelling in which the group answered rightly (ours).

`likelihood` sees one spelling, the reference's. Here the right final answers of the prompt's rollouts are scored with
it (answer_pool.py), so what the policy itself writes is not missed. Nothing is sampled. The rollouts of a prompt wait
for the last of their traces before they branch; a group without a right answer has the reference alone.
"""

from mrt_verl.provers.likelihood import LikelihoodProver


class PooledProver(LikelihoodProver):
    """The summed probability of the reference and of the group's own right answers."""

    pools_answers = True
