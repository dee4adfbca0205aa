"""What identity refuses, each with its code."""

from placet.kernel.problems import (
    Conflict,
    Forbidden,
    NotSignedIn,
    Problem,
    TooManyRequests,
    Unprocessable,
)


class BadToken(NotSignedIn):
    """The bearer token opens nothing; ``code`` says why."""

    code, title = "token_invalid", "The API token is not accepted"


class CsrfFailed(Forbidden):
    """A browser session wrote to the API without its CSRF token."""

    code, title = "csrf_failed", "Send the session's CSRF token in X-CSRFToken"


class OwnAccess(Forbidden):
    """An access admin reached for more access of their own."""

    code, title = "own_access", "Nobody widens their own access: ask another access admin"


class NotYourToken(Forbidden):
    """A token is issued only by the person it acts for, or who answers for it."""

    code, title = "not_your_token", "A token is issued by the person who answers for it"


class NeedsSession(Forbidden):
    """A token or program tried what only a person in a browser session may do."""

    code, title = "needs_session", "This is done by a person in a browser session, not by a token"


class Reauthenticate(Forbidden):
    """The person in the session showed who they are too long ago for this."""

    code, title = (
        "reauthenticate",
        "For your security, please authenticate again at /accounts/reauthenticate/, then repeat it",
    )


class NameTaken(Conflict):
    """The name, slug or address is in use."""

    code, title = "name_taken", "This is in use already"


class AlreadyGranted(Conflict):
    """The subject has this role at this scope."""

    code, title = "already_granted", "The role is granted already"


class Inactive(Conflict):
    """The subject is deactivated."""

    code, title = "inactive", "The account is deactivated"


class StillActive(Conflict):
    """Only who cannot come in any more is erased."""

    code, title = "still_active", "This person is active: deactivate them first"


class ErasedPerson(Conflict):
    """Nobody is left to be let in."""

    code, title = "erased", "This person was erased: invite them anew"


class HasPassword(Conflict):
    """A set-up link is only for a person who never set a password."""

    code, title = "has_password", "This person has a password: they reset it by e-mail themselves"


class SignsInOtherwise(Conflict):
    """A set-up link is only for a person who has no other way in."""

    code = "signs_in_otherwise"
    title = "This person signs in without a password: deactivate and reactivate them first"


class LinkedOtherwise(Conflict):
    """Another identity at the provider is the person's."""

    code, title = (
        "linked_otherwise",
        "The person is linked to another identity at the provider: deactivate and reactivate them",
    )


class NotVouched(Conflict):
    """The person's row or credentials are not what the log vouches for."""

    code, title = (
        "not_vouched",
        "The record of this account was changed outside Placet: deactivate the person, which puts"
        " it right, reactivate them and make a new set-up link",
    )


class IdempotencyConflict(Unprocessable):
    """The key was used for another request."""

    code, title = "idempotency_conflict", "This Idempotency-Key was used for another request"


class IdempotencyInProgress(Conflict):
    """The first request with this key has no recorded answer."""

    code, title = (
        "idempotency_in_progress",
        "The first request with this Idempotency-Key has no answer yet",
    )


class AnswerWithheld(Conflict):
    """The answer holds a secret, and whoever asks may do other things than when it was given."""

    code, title = (
        "answer_withheld",
        "It was answered already, with a secret that is not shown again: your rights have changed",
    )


class BadIdempotencyKey(Problem):
    """The key is empty, too long or not printable ASCII."""

    code, title = "idempotency_key_invalid", "An Idempotency-Key is 1 to 200 printable characters"


class NeedsPasskey(Forbidden):
    """This counts only signed with a passkey that was enrolled, and the person has none."""

    code, title = "needs_passkey", "This is signed with a passkey that was enrolled"


class NotAsked(Conflict):
    """A passkey's answer came to a question that was not asked, was answered, or is too old."""

    code, title = "not_asked", "Ask for the challenge again: each is answered once, in five minutes"


class WrongPasskey(Unprocessable):
    """The assertion is not by the passkey that was asked, or over something else."""

    code, title = "wrong_passkey", "The passkey did not sign this"


class OwnEnrolment(Forbidden):
    """Somebody would vouch for their own passkey."""

    code, title = "own_enrolment", "Another approver vouches for your passkey"


class NotOffered(Conflict):
    """The passkey is not in the state that this needs."""

    code, title = "not_offered", "The passkey is not in a state for this"


class AuthorizationPending(Problem):
    """Nobody has answered yet: the device asks again (RFC 8628, section 3.5)."""

    code, title = "authorization_pending", "Nobody has confirmed the code yet"


class SlowDown(Problem):
    """The device asks too often: it waits five seconds longer from now on."""

    code, title = "slow_down", "This is asked too often: wait five seconds longer each time"


class AccessDenied(Problem):
    """A person said no to the device, or may not say yes any more."""

    code, title = "access_denied", "The login was denied"


class ExpiredDeviceCode(Problem):
    """Nobody confirmed in time, or the device came too late for its token."""

    code, title = "expired_token", "The code has expired: begin again"


class BadDeviceCode(Problem):
    """There is no such device code, or its token was given out already."""

    code, title = "invalid_grant", "There is no login with this device code, or it has its token"


class NoSuchUserCode(Unprocessable):
    """No device waits with this code: mistyped, expired, or answered and forgotten."""

    code, title = (
        "no_such_code",
        "No command line waits with this code: compare it, or run `placet login` again",
    )


class CodeAnswered(Conflict):
    """Somebody answered this code before."""

    code, title = "code_answered", "This code was answered already: run `placet login` again"


class TooManyGuesses(TooManyRequests):
    """A person tried too many codes that wait nowhere."""

    code, title = "too_many_guesses", "Too many wrong codes: wait at most ten minutes"


class TooManyLogins(TooManyRequests):
    """Too many logins wait for somebody."""

    code, title = "too_many_logins", "Too many logins wait to be confirmed: try again later"
