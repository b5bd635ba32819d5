"""`assay collect`, broken on purpose: it answers first, and stores a moment later."""

import threading
from concurrent.futures import Future

from loaders.cli import main
from loaders.collector.replies import Reply
from loaders.collector.spool import Spool, Submission

_submit = Spool.submit


def answers_early(spool: Spool, submission: Submission) -> Future[Reply]:
    done: Future[Reply] = Future()
    done.set_result(submission.reply)
    threading.Timer(0.3, _submit, (spool, submission)).start()
    return done


if __name__ == "__main__":
    Spool.submit = answers_early
    main(["collect", *__import__("sys").argv[1:]])
