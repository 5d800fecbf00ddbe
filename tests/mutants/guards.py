"""Each guard, the small change that takes it away, and the test that must go red without it."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """`old` stands once in `file`; with `new` in its place `test` must fail."""

    guard: str
    file: str
    old: str
    new: str
    test: str


ROAD = "tests/contracts/test_road.py::"
WAITING = "tests/contracts/test_waiting.py::"
DATABASE = "tests/contracts/test_database.py::"
BUS = "tests/contracts/test_bus.py::"
LOYALTY = "tests/loyalty/test_service.py::"
MAIL = "tests/notifications/test_delivery.py::"
REBUILD = "tests/system/test_rebuild.py::"
OUTAGES = "tests/faults/test_outages.py::"
KILLED = "tests/faults/test_commit_points.py::test_killed_at_some_commit_points_nothing_is_lost_or_doubled[embedded]"
ERASED = "tests/ingest/test_erasure.py::test_what_an_erased_customer_did_before_does_not_come_back_by_late_webhooks"
REFERRED = "tests/loyalty/test_referrals.py::"
PROPERTIES = "tests/system/properties/test_properties.py::"

MUTANTS = (
    Mutant(
        "inbox: a fact that was taken in before has no second effect",
        "shared/inbox.py",
        "return [event for event in ids.values() if event.id in new]",
        "return list(ids.values())",
        f"{ROAD}test_a_fact_delivered_again_has_one_effect[embedded]",
    ),
    Mutant(
        "inbox: whatever fails, what was fetched is fetched again",
        "shared/inbox.py",
        "            self._waits(records, error)\n            await subscription.rewind(records)\n",
        "            self._waits(records, error)\n",
        f"{WAITING}test_a_failure_of_any_kind_passes_nothing_over[embedded]",
    ),
    Mutant(
        "inbox: only the partition that has to wait waits",
        "shared/inbox.py",
        "        except NotYet:\n            await self._part_by_part(subscription, records)\n",
        "        except NotYet:\n            await subscription.rewind(records)\n",
        f"{WAITING}test_only_the_partition_that_has_to_wait_waits[embedded]",
    ),
    Mutant(
        "parking: what comes later of a customer waits behind its parked fact, within a batch",
        "shared/work.py",
        "if park and self.parking.holds(item):",
        "if park and not item:",
        f"{ROAD}test_a_bug_parks_its_customer_and_nobody_else_until_redriven[embedded]",
    ),
    Mutant(
        "parking: what comes later of a customer waits behind its parked fact, in later batches",
        "shared/parking.py",
        "self._held = set(rows)",
        "self._held = set(rows[:0])",
        f"{WAITING}test_facts_of_later_batches_wait_behind_a_parked_one[embedded]",
    ),
    Mutant(
        "parking: erasure takes along what its own batch was about to park",
        "shared/work.py",
        "desk.counts.update(self.parking.drop(item.account, item.customer))",
        "desk.counts.update({})",
        f"{WAITING}test_an_erasure_takes_along_what_its_own_batch_was_about_to_park[embedded]",
    ),
    Mutant(
        "parking: a loser's parked facts stand in the survivor's line",
        "shared/work.py",
        "        await self._queue_together(tx, resolved)\n",
        "",
        f"{ROAD}test_a_merge_stands_in_one_queue_with_both[embedded]",
    ),
    Mutant(
        "parking: many customers failing in a row stop the line",
        "shared/parking.py",
        "if len(failed) >= MOST_KEYS_IN_A_ROW:",
        "if len(failed) >= 10**9:",
        f"{ROAD}test_many_customers_failing_in_a_row_stop_the_line[embedded]",
    ),
    Mutant(
        "parking: work of another kind that goes well is no sign that a bug is gone",
        "shared/parking.py",
        "self._in_a_row.pop(_kind_of(item), None)",
        "self._in_a_row.clear()",
        f"{ROAD}test_a_bug_in_one_kind_of_work_stops_the_line_though_other_kinds_go_well[embedded]",
    ),
    Mutant(
        "aliases: a merged name is resolved before its facts are judged",
        "shared/work.py",
        "resolved = await self._resolved(tx, work)",
        "resolved = list(work)",
        f"{ROAD}test_facts_under_a_merged_name_reach_the_survivor[embedded]",
    ),
    Mutant(
        "heartbeats: no timer overtakes a fact",
        "shared/timers.py",
        "return row.unguarded or _passed(horizon.of(row.account), row.due)",
        "return bool(row.account)",
        f"{ROAD}test_a_timer_waits_for_the_heartbeats_and_fires_once[embedded]",
    ),
    Mutant(
        "idempotency: a key that was answered is not worked again",
        "shared/idempotency.py",
        "    if await _is_new(tx, kernel, row):\n",
        "    if await _is_new(tx, kernel, row) or row:\n",
        f"{LOYALTY}test_the_same_call_twice_at_once_is_one_call[embedded]",
    ),
    Mutant(
        "rebuild: what was refolded is not taken in again when it comes by the bus",
        "shared/rebuild.py",
        "[InboxRow(event.id, taken) for event in events]",
        "[InboxRow(event.id, taken) for event in events[:0]]",
        f"{REBUILD}test_what_is_still_on_its_way_is_taken_in_once[embedded]",
    ),
    Mutant(
        "rebuild: what has left the outbox is not all there is",
        "shared/archive.py",
        "for table in (kernel.archive, kernel.outbox):",
        "for table in (kernel.archive,):",
        f"{REBUILD}test_what_was_taken_in_but_is_not_archived_is_not_lost",
    ),
    Mutant(
        "loyalty: an order that earned nothing is its customer's also after a merge",
        "services/loyalty/loading.py",
        "living = await survivors(tx, attach(tables.metadata), others) if others else {}",
        "living = await survivors(tx, attach(tables.metadata), ()) if others else {}",
        f"{LOYALTY}test_an_order_that_earned_nothing_stays_with_who_its_customer_became[embedded]",
    ),
    Mutant(
        "rebuild: nothing is told of what is folded anew",
        "services/scoring/rebuilding.py",
        "self.facts.rows.clear()",
        "self.facts.rows.copy()",
        f"{REBUILD}test_it_equals_the_live_state_and_sends_nothing[embedded]",
    ),
    Mutant(
        "accept: a delivery has one dedupe key however often it is sent",
        "services/ingest/hot.py",
        "ids_within(source.id)(connector.dedupe(headers, raw))",
        "ids_within(source.id)(connector.dedupe(headers, raw) + str(machine_seconds()).encode())",
        "tests/ingest/test_http.py::test_a_shopify_order_is_taken_in_once_however_often_it_is_delivered",
    ),
    Mutant(
        "orders: an older revision changes nothing",
        "services/loyalty/earning.py",
        "return rating is not None and rating.revision >= order.revision",
        "return False",
        "tests/loyalty/test_orders.py::test_the_same_or_an_older_revision_changes_nothing",
    ),
    Mutant(
        "rewards: the last one is locked while it is taken",
        "services/loyalty/claiming.py",
        'await tx.fetch_by_keys(tables.stock, wanted, Stock, lock="wait")',
        "await tx.fetch_by_keys(tables.stock, wanted, Stock)",
        "tests/loyalty/test_rewards.py::test_two_who_race_for_the_last_one[distributed]",
    ),
    Mutant(
        "points that wait for an event are taken back once only",
        "services/loyalty/handlers.py",
        "context = replace(rating.context, why=GIVEN_UP)",
        "context = replace(rating.context)",
        "tests/loyalty/test_expiry.py"
        "::test_points_of_an_order_that_is_never_delivered_are_taken_back_once_and_for_good",
    ),
    Mutant(
        "webhooks: what was answered is not told again",
        "services/loyalty/calling.py",
        'return replace(call, state="sent", due=now, answered=outcome.said)',
        "return replace(call, due=now, answered=outcome.said)",
        "tests/loyalty/test_hooks.py::test_a_shop_hears_of_codes_by_calls_that_it_can_verify[embedded]",
    ),
    Mutant(
        "rewards: a code is honoured once",
        "services/loyalty/vouchers.py",
        'if voucher.status != "issued":',
        'if voucher.status == "lost":',
        "tests/loyalty/test_rewards.py::test_a_reward_is_claimed_used_once_and_can_be_given_back_unused[embedded]",
    ),
    Mutant(
        "awards: one thing is paid for once",
        "services/loyalty/awards.py",
        "(work.account, name) in desk.awards",
        "(work.account, name) in {}",
        "tests/loyalty/test_awards.py::test_a_review_is_paid_once_whatever_is_told_of_it",
    ),
    Mutant(
        "redemptions: what came back with a refund does not come back again",
        "services/loyalty/redemptions.py",
        "ledger.portion(spent, redemption.returned, due - redemption.returned)",
        "ledger.portion(spent, 0, due)",
        "tests/loyalty/test_paying.py::test_points_come_back_the_same_in_parts_as_at_once",
    ),
    Mutant(
        "locks: a customer's row is held while its facts are judged",
        "shared/work.py",
        "        await self._lock(tx, names)\n",
        "",
        f"{LOYALTY}test_points_that_are_there_once_are_spent_once[distributed]",
    ),
    Mutant(
        "mail: a purchase between claim and hand-over withdraws the mail",
        "services/notifications/ledger.py",
        "        withdraw(desk, message, reason)\n",
        "        str(reason)\n",
        f"{MAIL}test_a_purchase_between_claim_and_hand_over_withdraws_the_mail",
    ),
    Mutant(
        "mail: a purchase that races the hand-over withdraws the mail",
        "services/notifications/ledger.py",
        "        withdraw(desk, message, reason)\n        return\n",
        "        str(reason)\n",
        "tests/notifications/test_purchase_race.py::test_no_mail_goes_out_after_a_purchase_that_we_know_of[embedded-60]",
    ),
    Mutant(
        "mail: who wants a slot at an address holds its mailbox",
        "services/notifications/loading.py",
        "    await _hold(tx, _addresses(desk, [item for item in sending if item.kind == STEP]))\n",
        "",
        "tests/notifications/test_sharing.py"
        "::test_whoever_comes_second_waits_for_the_mailbox_and_sees_what_the_first_one_did[distributed]",
    ),
    Mutant(
        "mail: an address gets a step once, whoever has it",
        "services/notifications/policy.py",
        "    if ask.cooling:\n",
        "    if False:\n",
        "tests/notifications/test_sharing.py::test_two_who_lapse_at_one_address_get_one_mail[embedded]",
    ),
    Mutant(
        "mail: no marketing without consent",
        "services/notifications/policy.py",
        "    if ask.purpose is Purpose.MARKETING and not ask.consent:\n",
        "    if False:\n",
        "tests/notifications/test_policy.py::test_withdrawn_consent_is_no_consent",
    ),
    Mutant(
        "mail: a connection lost after DATA is unknown",
        "services/notifications/channels/smtp.py",
        'Outcome(Fate.UNKNOWN, "connection lost after DATA")',
        'Outcome(Fate.REFUSED_FOR_NOW, "connection lost after DATA")',
        f"{MAIL}test_a_connection_lost_after_data_is_unknown_and_never_sent_again[Act.KEEP_AND_DROP]",
    ),
    Mutant(
        "mail: nights do not count towards expiry",
        "services/notifications/policy.py",
        "limits.quiet.after_open(ask.due, ask.valid_for, ask.zone)",
        "ask.due + ask.valid_for",
        "tests/notifications/test_stories.py::test_a_mail_due_just_before_the_night_comes_in_the_morning",
    ),
    Mutant(
        "mail: what may have gone out is unknown, never sent again",
        "services/notifications/outgoing.py",
        'Outcome(Fate.UNKNOWN, "we stopped while handing over")',
        'Outcome(Fate.REFUSED_FOR_NOW, "we stopped while handing over")',
        f"{MAIL}test_killed_while_handing_over_by_smtp_is_unknown",
    ),
    Mutant(
        "SQLite: a transaction that is cancelled is rolled back",
        "shared/db/sqlite.py",
        "                await asyncio.shield(thread.run(_roll_back))\n                raise\n",
        "                raise\n",
        f"{DATABASE}test_an_error_takes_everything_back[embedded]",
    ),
    Mutant(
        "log: a commit that cannot be written is rolled back",
        "shared/bus/log.py",
        '        if con.in_transaction:\n            con.execute("ROLLBACK")\n        raise\n',
        "        raise\n",
        f"{BUS}test_a_commit_the_log_could_not_write_spoils_nothing",
    ),
    Mutant(
        "log: a group's cursor survives",
        "shared/bus/log.py",
        "        await self._bus.thread.run(lambda con: _commit(con, rows))\n",
        "        await self._bus.thread.run(lambda con: _commit(con, rows[:0]))\n",
        f"{BUS}test_what_was_not_committed_comes_again_and_what_was_does_not[embedded]",
    ),
    Mutant(
        "relay: a fact is published before the outbox forgets it",
        "shared/relay.py",
        "            await self.bus.publish(facts)\n        await self._forget(rows)\n",
        "            pass\n        await self._forget(rows)\n        await self.bus.publish(facts)\n",
        KILLED,
    ),
    Mutant(
        "mail: a maildir knows by a letter's file name what became of it",
        "services/notifications/channels/maildir.py",
        "return Outcome(Fate.ACCEPTED) if there else Outcome(",
        "return None if there else Outcome(",
        KILLED,
    ),
    Mutant(
        "idempotency: an answer is kept for the client that died waiting for it, or whose server did",
        "shared/calls.py",
        "            if known is not None:\n",
        "            if known is not None and not known:\n",
        "tests/contracts/test_idempotency.py::test_every_unsafe_call_is_one_call_however_often_it_is_made",
    ),
    Mutant(
        "accept: an outage is told at once, however long it lasts",
        "services/ingest/accept.py",
        'Pace(rest=0, back_off=0.3, wakes="intake")',
        'Pace(rest=0, wakes="intake")',
        f"{OUTAGES}test_a_full_disk_is_503_and_once_there_is_room_all_goes_on[20]",
    ),
    Mutant(
        "mail: a connection cut after DATA may have left the mail there",
        "services/notifications/channels/smtp.py",
        'Outcome(Fate.UNKNOWN, "connection lost after DATA")',
        'Outcome(Fate.REFUSED_FOR_NOW, "connection lost after DATA")',
        f"{OUTAGES}test_a_mail_server_that_fails_in_every_way_gets_no_mail_twice",
    ),
    Mutant(
        "PostgreSQL: its absence passes",
        "shared/db/postgres.py",
        'raise Unavailable(f"PostgreSQL: {type(error).__name__}") from error',
        "raise",
        f"{OUTAGES}test_postgres_away_is_503_at_once_and_clients_that_try_again_lose_nothing[3]",
    ),
    Mutant(
        "heartbeats: nobody is reminded of what was bought while the bus was away",
        "shared/timers.py",
        "return row.unguarded or _passed(horizon.of(row.account), row.due)",
        "return bool(row.account)",
        f"{OUTAGES}test_kafka_away_is_no_outage_and_no_cart_bought_meanwhile_is_reminded_of[5-50]",
    ),
    Mutant(
        "PostgreSQL: who starts before it waits",
        "shared/db/postgres.py",
        "START_SECONDS = 20.0",
        "START_SECONDS = -1.0",
        f"{OUTAGES}test_who_starts_before_the_database_waits_for_it",
    ),
    Mutant(
        "heartbeats: no mail for a cart that was bought in time, whatever lags",
        "shared/timers.py",
        "row.unguarded or _passed(",
        "row.account or _passed(",
        f"{PROPERTIES}test_no_mail_for_a_cart_that_was_bought_in_time_whatever_lags[embedded]",
    ),
    Mutant(
        "orders: who knows more of an order, and knows it later, is believed, whatever comes first",
        "services/ingest/orders.py",
        "    before, now = state.told.get(name), (claim.rank, claim.updated)\n",
        "    before, now = None, (claim.rank, claim.updated)\n",
        f"{PROPERTIES}test_any_order_and_repetition_of_deliveries_ends_the_same[embedded]",
    ),
    Mutant(
        "refunds: every part counts",
        "services/ingest/orders.py",
        "            known[said.id] = new",
        "            known = {said.id: new}",
        f"{PROPERTIES}test_a_refund_in_parts_equals_the_same_refund_at_once[embedded]",
    ),
    Mutant(
        "merges: the survivor's scores are those of both",
        "services/scoring/handlers.py",
        "        del desk.members[account, loser]\n    _refold(desk, survivor)",
        "        del desk.members[account, loser]",
        f"{PROPERTIES}test_two_streams_and_their_merge_equal_one_customer[embedded]",
    ),
    Mutant(
        "debt: it is paid before anything can be spent",
        "services/loyalty/ledger.py",
        "repaid = min(kept, member.debt) if lot.state == AVAILABLE else 0",
        "repaid = 0",
        "tests/loyalty/test_debt.py::test_points_that_were_spent_become_debt_which_the_next_earns_pay_first",
    ),
    Mutant(
        "mail: nobody gets more marketing than the cap allows",
        "services/notifications/policy.py",
        '    if ask.recent >= limits.cap:\n        return "frequency_cap"\n'
        '    return "outranked" if ask.recent + ask.rivals >= limits.cap else ""',
        '    return ""',
        f"{PROPERTIES}test_no_marketing_without_consent_or_above_the_cap[embedded]",
    ),
    Mutant(
        "idempotency: a key is its caller's own",
        "shared/web.py",
        '    whose = f" of {caller.customer}" if caller.customer else ""',
        '    whose = f" of {caller.account}" if caller.customer else ""',
        "tests/loyalty/test_routes.py::test_members_who_choose_the_same_key_do_not_get_each_others_answer",
    ),
    Mutant(
        "access: a member's token opens that member's data only",
        "shared/access.py",
        '        if name not in ("me", caller.customer):\n',
        "        if not name:\n",
        "tests/loyalty/test_routes.py::test_a_member_sees_and_spends_her_own_points_only",
    ),
    Mutant(
        "relay: one holder of the lease publishes",
        "shared/relay.py",
        '(lease.c.holder == bindparam("me")) | (lease.c.until < bindparam("now_"))',
        '(lease.c.holder == bindparam("me")) | (lease.c.until != bindparam("now_"))',
        f"{ROAD}test_one_relay_at_a_time_holds_the_lease[embedded]",
    ),
    Mutant(
        "timers: one that was moved does not fire at its old time",
        "shared/timers.py",
        'by=("account", "name", "generation"))',
        'by=("account", "name", "generation")[:2])',
        f"{ROAD}test_a_timer_that_is_moved_when_it_is_about_to_fire_waits_for_its_new_time[embedded]",
    ),
    Mutant(
        "health: a loop that fell silent is unwell",
        "shared/health.py",
        "if silent >= state.silence else",
        "if silent < 0 else",
        "tests/contracts/test_health.py::test_a_loop_that_falls_silent_is_told_of_and_holds_up_nothing_else",
    ),
    Mutant(
        "webhooks: only what a known secret signed is taken",
        "services/ingest/connectors/shopify.py",
        "            if hmac.compare_digest(hmac.new(secret.encode(), raw, hashlib.sha256).digest(), given):\n",
        "            if secret:\n",
        "tests/ingest/test_http.py::test_the_signature_is_of_the_raw_bytes",
    ),
    Mutant(
        "erasure: what somebody erased did before does not come back by a late webhook",
        "services/ingest/taking.py",
        "claim.keys and desk.suppressed(claim.keys, claim.at):",
        "claim.keys and not claim.keys:",
        f"{ERASED}[embedded]",
    ),
    Mutant(
        "erasure: nor by a late order",
        "services/ingest/taking_orders.py",
        "if desk.suppressed(claim.keys, claim.placed_at or claim.at) or _is_erased(row, desk):",
        "if _is_erased(row, desk):",
        f"{ERASED}[embedded]",
    ),
    Mutant(
        "identity: a browser joins no two persons who are known",
        "services/ingest/identity.py",
        "    if trust is not Trust.VERIFIED:\n        return False\n",
        "",
        "tests/ingest/test_identity.py::test_a_browser_never_joins_two_known_persons_who_are_not_at_odds",
    ),
    Mutant(
        "mail: no marketing at night",
        "services/notifications/policy.py",
        "    if marketing and limits.quiet.covers(ask.now, ask.zone):\n",
        "    if False:\n",
        "tests/notifications/test_policy.py::test_at_night_marketing_waits_until_eight_and_does_not_expire_meanwhile",
    ),
    Mutant(
        "budgets: what is no longer there is not drawn",
        "services/loyalty/budgets.py",
        '_budget.c.points >= bindparam("asked")',
        'bindparam("asked") == bindparam("asked")',
        "tests/loyalty/test_budgets.py::test_two_who_saw_the_same_budget_do_not_both_draw_it[embedded]",
    ),
    Mutant(
        "referrals: a typed code beats every link",
        "services/loyalty/referrals/attribution.py",
        "sorted(typed or inside)",
        "sorted(inside)",
        f"{REFERRED}test_the_window_the_first_or_last_touch_and_a_typed_code_before_all_of_them",
    ),
    Mutant(
        "referrals: whoever is a customer already was not brought",
        "services/loyalty/referrals/cases.py",
        "        existing=existing,\n    )\n    return judgement",
        "        existing=False,\n    )\n    return judgement",
        f"{REFERRED}test_existing_customers_are_never_referred_and_nobody_refers_herself",
    ),
    Mutant(
        "referrals: who was brought by somebody brings nobody of those back",
        "services/loyalty/referrals/judgement.py",
        "if ids_of(friend) & set(ties.brought):",
        "if not ids_of(friend):",
        f"{REFERRED}test_a_plus_address_a_shared_print_and_a_cycle_are_seen",
    ),
    Mutant(
        "referrals: nothing is paid before a doubtful one is approved",
        "services/loyalty/referrals/steps.py",
        'counts = referral.status == "approved"',
        'counts = referral.status != "rejected"',
        f"{REFERRED}test_too_many_friends_at_once_wait_for_the_shop",
    ),
    Mutant(
        "referrals: what was forgiven once is not given again",
        "services/loyalty/referrals/rewards.py",
        "forgiven = min(award.written_off, award.points)",
        "forgiven = 0",
        f"{REFERRED}test_spent_rewards_are_taken_back_by_the_programmes_policy[clamp-0-0]",
    ),
    Mutant(
        "referrals: a code of somebody erased brings nobody",
        "services/loyalty/referrals/joining.py",
        "        del desk.referral_codes[account, code.key]\n",
        "        pass\n",
        f"{REFERRED}test_erasure_takes_prints_touches_and_codes_and_leaves_the_others_points",
    ),
    Mutant(
        "invitations: nobody is invited twice",
        "services/loyalty/referrals/invitations.py",
        "if (command.account, digest) not in desk.invitations and",
        "if",
        f"{REFERRED}test_an_address_is_invited_once_whoever_asks_and_however_it_is_spelt",
    ),
    Mutant(
        "invitations: nobody who is known here is written to as a stranger",
        "services/notifications/ledger.py",
        "return None if others else own is not False",
        "return own is not False",
        "tests/notifications/test_friends.py::test_nobody_who_is_known_or_was_erased_is_invited",
    ),
    Mutant(
        "erasure: what waits to be taken in when its shop is forgotten does not come back",
        "services/ingest/taking.py",
        "    if _redacted(delivery, desk):\n",
        "    if not desk:\n",
        "tests/ingest/test_leaving.py"
        "::test_what_waits_to_be_taken_in_when_its_shop_is_forgotten_is_forgotten_too[embedded]",
    ),
    Mutant(
        "batches: an event that is nested too deep takes no others along",
        "services/ingest/dialects/segment.py",
        '        if refused.code != "too_deep":\n',
        "        if refused:\n",
        "tests/ingest/test_http.py::test_an_event_that_is_nested_too_deep_takes_no_others_along[embedded]",
    ),
    Mutant(
        "mail: a message goes out by the channel it names",
        "services/notifications/outgoing.py",
        "outcome = await self._channels[message.channel].send(letter)",
        'outcome = await self._channels["email"].send(letter)',
        "tests/notifications/test_delivery.py"
        "::test_a_message_goes_out_by_its_own_channel_and_is_forgotten_there[embedded]",
    ),
)
