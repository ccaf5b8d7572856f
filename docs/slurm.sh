#!/bin/bash
#SBATCH --ntasks=50 --cpus-per-task=1 --mem-per-cpu=2G --time=4:00:00
# A sweep as one job: sbatch docs/slurm.sh SWEEP.toml FOLDER
set -euo pipefail
address="tcp://$(hostname):${PORT:-8786}"
trap 'kill $(jobs -p)' EXIT
dask scheduler --port "${PORT:-8786}" --no-dashboard &
srun dask worker "$address" --nthreads 1 --no-nanny --no-dashboard &
warpwise sweep "$1" --scheduler "$address" -o "$2"
