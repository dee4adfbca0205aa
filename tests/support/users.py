"""An ordinary user, to whom the tree that is tested may be closed."""

import os
import resource
from collections.abc import Callable


def as_user(uid: int, work: Callable[[], str], *, files: tuple[int, int] = (0, 0)) -> str:
    """Return what ``work`` says in a fork of ours that is the user ``uid``.

    All that it needs is imported already: that user may not read it. ``files`` are the soft and
    the hard limit of open files, 0 for ours.
    """
    near, far = os.pipe()
    if not (child := os.fork()):
        said = "it did not come to an end"
        try:
            ours = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (files[0] or ours[0], files[1] or ours[1]))
            os.chdir("/")  # where we stand it may not be
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            said = work()
        except BaseException as error:  # whatever it is, this fork is not to go on as pytest
            said = repr(error)
        finally:
            os.write(far, said.encode())
            os._exit(0)
    os.close(far)
    with os.fdopen(near) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said
