"""The guards of the zoo: the edit that switches each off, and who must notice."""

from tests.fault import Fault

HOSTILE = "tests/reliability/test_hostile_presets.py::"
RULE = HOSTILE + "test_the_rule_itself_refuses"
ATTACK = HOSTILE + "test_attack_is_refused_in_one_sentence"
DOWNLOAD = "tests/zoo/test_download.py::"
RESUME = "tests/tasks/test_training.py::TestResume::"
RNN = "tests/zoo/layers/test_simple_rnn.py"


def guard(place, old, new, *tests):
    return Fault(place, old, new, tests)


GUARDS = {
    "hash of a preset's files": guard(
        "zoo.integrity:_compare",
        "if got != sums[name]:",
        "if False:",
        HOSTILE + "test_flipped_byte_names_its_file",
        HOSTILE + "test_any_flipped_byte_is_seen[README.md]",
    ),
    "list of a preset's files": guard(
        "zoo.integrity:read_sums",
        "if name != SUMS and name not in sums:",
        "if False:",
        HOSTILE + "test_unlisted_file_is_named",
    ),
    "links and devices": guard(
        "zoo.integrity:_check_entry",
        "if not stat.S_ISREG(status.st_mode):",
        "if False:",
        RULE,
    ),
    "bound on files": guard(
        "zoo.integrity:_check_entry",
        "if status.st_size > size_limit(name):",
        "if False:",
        HOSTILE + "test_large_file_is_refused_before_it_is_read",
    ),
    "table of classes": guard(
        "zoo.classes:find_class",
        "if match is None:",
        "if match is None:\n"
        '            module, _, attribute = name.rpartition(".")\n'
        "            return getattr(importlib.import_module(module), attribute)\n"
        "        if False:",
        HOSTILE + "test_no_module_is_imported_by_a_name_in_a_file",
    ),
    "places in options": guard(
        "zoo.plain_json:check_options",
        "isinstance(value, str) and _PLACE.search(value)",
        "False",
        ATTACK + "[place-0]",
        ATTACK + "[place-4]",
        ATTACK + "[place-10]",
    ),
    "bound on numbers": guard(
        "zoo.plain_json:check_options", "abs(value) > largest", "False", RULE
    ),
    "depth of JSON": guard(
        "zoo.plain_json:check_plain",
        "if depth > MAX_DEPTH:",
        "if False:",
        ATTACK + "[examples-2]",
    ),
    "links in weights": guard(
        "zoo.hdf5:_scan",
        "if not isinstance(group.get(key, getlink=True), h5py.HardLink):",
        "if False:",
        RULE,
    ),
    "bound on weights": guard(
        "zoo.hdf5:_check_dataset",
        "if layout.get_nfilters() or item.shape is None or stored != needed:",
        "if False:",
        RULE,
    ),
    "NaN in weights": guard(
        "zoo.hdf5:read_weights", "not allow_nonfinite", "False", ATTACK + "[array-6]"
    ),
    "hash of a download": guard(
        "zoo.download:fetch_file",
        "if got == sha256:",
        "if True:",
        DOWNLOAD + "TestRefused::test_wrong_sum_names_both_sums",
        DOWNLOAD + "TestFetchFile::test_wrong_byte_is_fetched_again",
    ),
    "bound on a download": guard(
        "zoo.download:_append",
        "if have > largest:",
        "if False:",
        DOWNLOAD + "TestRefused::test_endless_file",
    ),
    "where a download leads": guard(
        "zoo.download:_Redirects.redirect_request",
        'if new != "https" and (new, old) != ("http", "http"):',
        "if False:",
        DOWNLOAD + "TestRefused::test_redirect_leaves_http_never",
    ),
    "old preset kept until the new one is there": guard(
        "zoo.folders:replace",
        "folder.rename(old)",
        "shutil.rmtree(folder)",
        "tests/zoo/test_preset.py::TestFolder::"
        "test_failed_swap_brings_the_old_preset_back",
    ),
    "hash of a state": guard(
        "tasks.checkpoints:read",
        "if hashlib.sha256(body).hexdigest().encode() != digest:",
        "if False:",
        RESUME + "test_a_cut_file_falls_back",
    ),
    "atomic rename of a state": guard(
        "tasks.checkpoints:write",
        'path.with_suffix(".partial")',
        "path",
        "tests/reliability/test_killed_saves.py::"
        "test_nothing_is_listed_before_it_is_whole",
    ),
    "settings of a run": guard(
        "tasks.resume:Resume._check_settings",
        "if before.get(name) != self.settings.get(name):",
        "if False:",
        RESUME + "test_another_run_is_refused",
    ),
    "size of a run's model": guard(
        "tasks.resume:Resume._take_up",
        "if [v.shape for v in values] != [a.shape for a in stored]:",
        "if False:",
        RESUME + "test_another_model_is_refused_whole",
    ),
    "lock of a run's folder": guard(
        "zoo.locks:_claimed",
        "_acquire(file, wait=False)",
        "pass",
        "tests/zoo/test_locks.py::test_a_second_claim_is_told_who_holds_it",
        "tests/zoo/test_locks.py::test_it_ends_with_its_process",
    ),
    "lock of a download": guard(
        "zoo.locks:_acquire",
        "fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))",
        "pass",
        "tests/zoo/test_locks.py::test_waiting_lets_in_one_at_a_time",
    ),
    "mask of a layer": guard(
        "zoo.layers.recurrent:Recurrent.call",
        "mask_tensor(mask)",
        "mask if mask is None else mask_tensor(mask) | True",
        RNN + "::TestPlain::test_padding_is_invisible",
        RNN + "::TestPlain::test_masked_steps_show_the_held_state",
    ),
    "mask of a loss": guard(
        "tasks.losses:token_losses",
        "ops.where(mask, loss, 0.0)",
        "loss",
        "tests/reliability/test_finite_losses.py::"
        "test_a_loss_stays_finite[tokens-float32]",
    ),
}
