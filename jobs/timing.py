"""Every wait of the system in one struct, so that tests can run at a fraction of them."""

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths of time in ms, at their production values."""

    lease_ms: int = 10_000
    """How long a claim holds its calls without a renewal."""
    renew_every_ms: int = 3_000
    """How often a working claim renews its lease."""
    quiet_ms: int = 250
    """A call claimed this recently is due again only after this long: a burst is one read."""
    pace_ms: int = 250
    """The least time between two claims of one portal that has no full batch waiting."""
    recent_ms: int = 60_000
    """How long a settled call is remembered: to be marked again should the streams' Redis lose it,
    and with the time of its claim, for the quiet rule."""
    remembered_ms: int = 10_000
    """How long a service remembers the marks that it has acknowledged."""
    look_ms: int = 1_000
    """How often a process looks whether Redis has lost data."""
    mend_lease_ms: int = 60_000
    """How long a worker may take to have lost data made again before another one does."""
    ring_horizon_ms: int = 1_000
    """Work due within this long gets a deferred doorbell; later work is left to the sweep."""
    bell_ms: int = 5_000
    """After this long past its ringing time an unanswered doorbell counts as lost."""
    bell_crowded_ms: int = 60_000
    """The same while the queue is longer than the fleet can soon serve."""
    sweep_every_ms: int = 100
    """How often one worker looks for due portals that have no doorbell."""
    fleet_beat_ms: int = 3_000
    """How often a worker says how many slots it has; three missed beats and it is gone."""

    body_read_ms: int = 3_000
    """How long a request's body may take to arrive."""
    mark_deadline_ms: int = 2_000
    """How long a notification may wait for its commit before the answer is 503."""
    probe_ms: int = 1_000
    """How long a readiness probe's write may take, and how long its outcome is kept."""

    again_first_ms: int = 250
    """First wait of a call whose read was overtaken by another reader's; doubles each time."""
    again_last_ms: int = 5_000
    """Longest wait of a call whose read was overtaken."""
    lagging_rungs_ms: tuple[int, ...] = (1_000, 10_000, 30_000, 30_000)
    """Waits of a call for which HubSpot answered an older state than the published one."""
    revert_after_ms: int = 60_000
    """An older `updatedAt` that HubSpot insists on for this long is accepted."""
    behind_rungs_ms: tuple[int, ...] = (1_000, 5_000, 30_000, 120_000)
    """Waits of a call whose read does not yet show what a notification said."""
    hint_patience_ms: int = 120_000
    """How long after its first test an unmet hint is kept."""
    gone_apart_ms: int = 10_000
    """The least time between two rounds that find an id missing."""
    gone_held_ms: int = 600_000
    """How long the verdict "gone" is held when no notification announced it."""
    record_retry_ms: int = 2_000
    """First wait of a call that HubSpot refuses or that does not decode; doubles each time."""
    refusals_every_ms: int = 5_000
    """How often a service process brings its counts of refused signatures to Redis."""
    aging_every_ms: int = 600_000
    """How often marks and dead letters are looked through for what is too old."""
    paging_keep_ms: int = 600_000
    """How long half-read associations of a call are kept for the job that reads on."""
    record_patience_ms: int = 30_000
    """How long such a call is tried before it is set aside."""

    portal_backoff_first_ms: int = 500
    """First sleep of a portal whose API fails; doubles each time."""
    portal_backoff_last_ms: int = 300_000
    """Longest sleep of a portal whose API fails."""
    probe_first_ms: int = 1_000
    """How long after an outage of HubSpot's API was noticed it is probed; doubles each time."""
    probe_last_ms: int = 15_000
    """The longest time between two probes of an API that is out."""
    request_timeout_ms: int = 10_000
    """How long one HubSpot request may take."""
    token_recheck_ms: int = 2_000
    """How long a process uses an account's token without looking whether there is a newer one."""
    token_ahead_ms: int = 300_000
    """An access token is refreshed this long before it is no longer used, but not before three
    quarters of its life."""
    token_margin_ms: int = 10_000
    """An access token is not used in its last seconds, or its last tenth if that is shorter."""
    refresh_lease_ms: int = 12_000
    """How long one process may take to refresh a token: a request and a little more."""
    refresh_poll_ms: int = 50
    """How often the others look whether it has."""
    install_ms: int = 600_000
    """How long an install may take from its beginning to HubSpot's consent."""
    strangers_every_ms: int = 5_000
    """How often a worker looks for notifications about accounts that it has no token for."""

    budget_window_ms: int = 10_250
    """The burst window: HubSpot's 10 s and a margin for the way there."""
    projection_idle_ms: int = 600_000
    """A list of read properties that no process used for this long may be replaced."""

    search_margin_ms: int = 60_000
    """HubSpot's search is asked only about changes that are this old: it lags behind."""
    collection_lease_ms: int = 30_000
    """How long a worker holds an account's reconciliation without a word."""
    collection_turn_ms: int = 10_000
    """A turn of a reconciliation ends at the first page after this long."""
    collection_ring_ms: int = 1_000
    """How often one worker looks which accounts want a reconciliation."""
    collection_bell_ms: int = 120_000
    """After this long a job of a reconciliation that has not begun counts as lost."""
    collection_yield_ms: int = 1_000
    """How long a reconciliation waits while many marked calls wait to be read."""
    backfill_turn_ms: int = 2_000
    """How long a backfill reads page after page before other runs have their turn."""
    backfill_lease_ms: int = 20_000
    """A backfill's turn that does not move its cursor for this long counts as lost."""
    backfill_look_ms: int = 1_000
    """How often a worker looks for backfills whose turn was lost, and for new accounts."""

    journal_poll_ms: int = 1_000
    """How often the journal is asked for the next file once it is caught up."""
    journal_lease_ms: int = 30_000
    """How long a worker is the journal's one reader without a word."""
    journal_step_ms: int = 120_000
    """How long one file of the journal may take, subscriptions included."""
    journal_subscribe_ms: int = 60_000
    """How often the journal's subscriptions are compared with the connected accounts."""

    def scaled(self, factor: float) -> "Timing":
        """Return the same timing with every wait multiplied by `factor`, at least 1 ms each."""

        def scale(value: int | tuple[int, ...]) -> int | tuple[int, ...]:
            if isinstance(value, tuple):
                return tuple(max(1, round(item * factor)) for item in value)
            return max(1, round(value * factor))

        scaled = {name: scale(value) for name, value in msgspec.structs.asdict(self).items()}
        return msgspec.convert(scaled, Timing)
