"""How jobs are named: '123' an array, '123_4' its task 4; ';name' behind either says whose, on another cluster.

That is how sbatch --parsable writes it. Slurm's other commands take number and cluster apart.
"""

from collections.abc import Iterable


def task(array: str, number: int) -> str:
    """'123;west', 4 → '123_4;west'."""
    bare, cluster = split(array)
    return joined(f"{bare}_{number}", cluster)


def array(job: str) -> str:
    """'123_4;west' → '123;west'; an array stays itself."""
    bare, cluster = split(job)
    return joined(bare.partition("_")[0], cluster)


def split(job: str) -> tuple[str, str | None]:
    """The job's number there, and its cluster; None for the one where commands go by themselves."""
    bare, _, cluster = job.partition(";")
    return bare, cluster or None


def joined(bare: str, cluster: str | None) -> str:
    return f"{bare};{cluster}" if cluster else bare


def by_cluster(jobs: Iterable[str]) -> dict[str | None, list[str]]:
    """Cluster → the numbers of its jobs, in their order."""
    found: dict[str | None, list[str]] = {}
    for job in jobs:
        bare, cluster = split(job)
        found.setdefault(cluster, []).append(bare)
    return found


def on(cluster: str | None) -> list[str]:
    """The option that sends one of Slurm's commands to another cluster."""
    return [f"--clusters={cluster}"] if cluster else []
