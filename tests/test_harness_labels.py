"""What pytest writes for Allure while a run goes on has no secrets in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from allure_commons import model2, plugin_manager
from allure_commons.logger import AllureFileLogger

from harness.labels import Masked
from harness.mask import MASK, Masker

SECRET = "hunter2-password"


def test_errors_and_clean_ups_are_masked_before_allure_writes_them(tmp_path: Path) -> None:
    told = model2.StatusDetails(message=f"login {SECRET}", trace=f"get('{SECRET}')")
    step = model2.TestStepResult(name="in", statusDetails=model2.StatusDetails(message=SECRET))
    result = model2.TestResult(uuid="r", name="a", statusDetails=told, steps=[step])
    after = model2.TestAfterResult(
        name="end", statusDetails=model2.StatusDetails(trace=f"delete {SECRET}")
    )
    container = model2.TestResultContainer(uuid="c", afters=[after])

    writer: Any = AllureFileLogger
    loggers: list[tuple[Any, str]] = [
        (Masked(Masker([SECRET])), "masked"),
        (writer(tmp_path), "log"),
    ]
    for plugin, name in loggers:
        plugin_manager.register(plugin, name)
    try:
        plugin_manager.hook.report_result(result=result)
        plugin_manager.hook.report_container(container=container)
    finally:
        for name in ("masked", "log"):
            plugin_manager.unregister(name=name)

    files = {file.name.split("-")[-1]: file.read_text() for file in tmp_path.iterdir()}
    assert not [text for text in files.values() if SECRET in text]
    assert (
        json.loads(files["container.json"])["afters"][0]["statusDetails"]["trace"]
        == f"delete {MASK}"
    )
    assert json.loads(files["result.json"])["statusDetails"]["message"] == f"login {MASK}"
