import os
import signal

import hypothesis

from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE

# The same examples on every machine and in every run; a slow machine is no failure.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")

# What the person who runs the tests has set for themselves does not count.
os.environ.pop(CONFIG_DIRECTORY_VARIABLE, None)

# Under `nohup`, or behind a shell's `&`, they are ignored, and so they would be by every process
# that the tests start and stop.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
