"""The reference library says nothing while it is compared with: neither advice nor progress bars."""

import pytest
import transformers


@pytest.fixture(scope="session", autouse=True)
def _quiet_reference():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
