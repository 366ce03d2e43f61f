"""The place in the data at which a checkpoint stands: kept over another batch size, refused where it cannot be."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from omegaconf import OmegaConf
from torchdata.stateful_dataloader import StatefulDataLoader
from torchdata.stateful_dataloader.sampler import RandomSampler

from mrt_verl.hooks.checks.position import Position, check_position
from mrt_verl.hooks.checks.resume import TRACKER
from mrt_verl.settings import MRTSettings

ROWS = 32


def loader(*, rows=ROWS, batch=4, workers=0):
    """As verl makes it: shuffled, the last part of a batch dropped."""
    data = list(range(rows))
    sampler = RandomSampler(data_source=data, generator=torch.Generator().manual_seed(1))
    return StatefulDataLoader(
        data, batch_size=batch, num_workers=workers, sampler=sampler, drop_last=True, collate_fn=list
    )


def advanced(batches, **how):
    """The rows of the first batches, and the loader's state after them."""
    made = loader(**how)
    batch = iter(made)
    return [row for _ in range(batches) for row in next(batch)], made.state_dict()


def write(path, rows):
    pq.write_table(pa.table({"prompt": list(range(rows))}), path)
    return str(path)


@pytest.fixture
def lines(tmp_path):
    """lines(state, **data) -> what is told of a run that goes on from it with 32 rows, or as `data` says"""
    step = tmp_path / "global_step_3"
    step.mkdir()
    (tmp_path / TRACKER).write_text("3")

    def run(state, **data):
        if state is not None:
            torch.save(state, step / "data.pt")
        node = {"train_files": write(tmp_path / "32.parquet", ROWS), "dataloader_num_workers": 0, **data}
        trainer = {"resume_mode": "auto", "default_local_dir": str(tmp_path), "resume_from_path": None}
        config = OmegaConf.create({"trainer": trainer, "data": node})
        return list(check_position(MRTSettings(), config))

    return run


@pytest.mark.parametrize("batch", [2, 4, 8])
def test_another_batch_size_goes_on_at_the_same_row(batch):
    seen, state = advanced(3)
    later = loader(batch=batch)
    later.load_state_dict(state)
    rest = [row for rows in later for row in rows]
    assert len(set(seen + rest)) == len(seen + rest) == 12 + 20 // batch * batch


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_run_saved_is_read_and_taken_up(lines, tmp_path, workers):
    _, state = advanced(3, workers=workers)
    assert lines(state, dataloader_num_workers=workers) == []
    assert Position.read(tmp_path / "global_step_3" / "data.pt") == Position(workers, 12)


@pytest.mark.parametrize(("saved", "now"), [(0, 2), (2, 0), (2, 4)])
def test_another_number_of_loading_processes_is_refused(lines, saved, now):
    _, state = advanced(3, workers=saved)
    (line,) = lines(state, dataloader_num_workers=now)
    assert (
        line.startswith(f"data.dataloader_num_workers={now}: ") and f"was saved with {saved}; allowed: {saved}" in line
    )
    with pytest.raises(AssertionError):  # what verl would end with, minutes later
        later = loader(workers=now)
        later.load_state_dict(state)
        next(iter(later))


def test_data_that_ends_before_the_position_is_refused(lines, tmp_path):
    _, state = advanced(3)
    (line,) = lines(state, train_files=write(tmp_path / "8.parquet", 8))
    assert line.startswith("data.train_files has 8 rows") and "is row 12 of an epoch; allowed: 12 rows or more" in line
    later = loader(rows=8)
    later.load_state_dict(state)
    with pytest.raises(StopIteration):
        iter(later)
    assert lines(state, train_files=write(tmp_path / "12.parquet", 12)) == []
    assert "has 8 rows" in lines(state, train_max_samples=8)[0]


def test_what_is_not_known_is_no_fault(lines, tmp_path):
    assert lines(None) == []
    assert lines({"of another": "version"}) == []
    _, state = advanced(3)
    assert lines(state, train_files="s3://bucket/train.parquet") == []
    (Path(tmp_path) / TRACKER).unlink()
    assert lines(state, train_files=write(tmp_path / "8.parquet", 8)) == []
