#!/bin/bash

# Parameters
#SBATCH --account='my project'
#SBATCH --array=0-499%8
#SBATCH --cpus-per-task=8
#SBATCH --dependency=afterany:1234
#SBATCH --gpus-per-node=1
#SBATCH --job-name=20261124-030000-table7-abcd.1
#SBATCH --mem=49664MB
#SBATCH --nodes=1
#SBATCH --open-mode=append
#SBATCH --output=/shared/results/submissions/20261124-030000-table7-abcd/logs/%A_%a_0_log.out
#SBATCH --partition=gpu
#SBATCH --requeue
#SBATCH --signal=USR2@120
#SBATCH --time=720

# setup
module load cuda
export PATH
export ${SLURM_CPUS_PER_TASK:+SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK}
export PYTHONSAFEPATH=1
export PYTHONPATH=/shared/results/submissions/20261124-030000-table7-abcd/snapshot"${PYTHONPATH:+:$PYTHONPATH}"

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /shared/results/submissions/20261124-030000-table7-abcd/logs/%A_%a_%t_log.out --export=ALL /bin/sh -c 'trap '"'"''"'"' USR2; exec "$@"' task '/shared/my envs/bench/bin/python' -u -m clopbench.slurm.task /shared/results/submissions/20261124-030000-table7-abcd 500
