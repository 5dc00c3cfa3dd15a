#include "arbiter/schema.hpp"

namespace phoenix::arbiter {

const char* const kSchemaSql = R"sql(
-- ---- read interface: names and columns stay ----------------------------------------------------------------------

-- Every verdict that is not a plain match. id: the exchange's id, or account/NAME/TIME for a verdict on an account alone
-- (then exchange_id and route are empty). A later finding may replace a row.
CREATE TABLE IF NOT EXISTS arbiter.verdicts (
  id text PRIMARY KEY,
  exchange_id text NOT NULL,
  account text NOT NULL,
  slice text NOT NULL,
  route text NOT NULL,
  verdict text NOT NULL,
  detail text NOT NULL,
  event_time timestamptz NOT NULL,
  rung bigint NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS verdicts_by_time ON arbiter.verdicts (event_time);
CREATE INDEX IF NOT EXISTS verdicts_by_account ON arbiter.verdicts (account);

-- Evidence of exchanges with a row in verdicts. header: ids, route, keys, request and both legs with status, headers
-- (credentials blotted out) and timings, and the first 16 differences (kind, path, legacy, modern). Balances as stated in the answers, NULL when there are none.
CREATE TABLE IF NOT EXISTS arbiter.exchanges (
  exchange_id text PRIMARY KEY,
  account text NOT NULL,
  slice text NOT NULL,
  route text NOT NULL,
  method text NOT NULL,
  target text NOT NULL,
  serving_side text NOT NULL,
  event_time timestamptz NOT NULL,
  rung bigint NOT NULL,
  header jsonb NOT NULL,
  request_body bytea NOT NULL,
  legacy_status int NOT NULL,
  legacy_body bytea NOT NULL,
  modern_status int NOT NULL,
  modern_body bytea NOT NULL,
  legacy_balance text,
  modern_balance text);

-- The latest score of each slice; `score` is the value that travels on consistency-scores.
CREATE TABLE IF NOT EXISTS arbiter.scores (
  slice text PRIMARY KEY,
  score jsonb NOT NULL,
  updated timestamptz NOT NULL DEFAULT now());

-- Accounts whose two sides differ. gap_minor = modern - legacy in minor units of the currency (XXX: not known).
-- legacy_balance and modern_balance are the last ones seen, as text.
CREATE TABLE IF NOT EXISTS arbiter.drift (
  account text NOT NULL,
  slice text NOT NULL,
  currency text NOT NULL,
  gap_minor bigint NOT NULL,
  legacy_balance text,
  modern_balance text,
  since text NOT NULL,
  PRIMARY KEY (slice, account));

-- Keys that two gateways wrote so close to each other that their order is not known; one row for each rung.
CREATE TABLE IF NOT EXISTS arbiter.split_keys (
  slice text NOT NULL,
  rung bigint NOT NULL,
  key text NOT NULL,
  first_gateway text NOT NULL,
  first_exchange text NOT NULL,
  second_gateway text NOT NULL,
  second_exchange text NOT NULL,
  event_time timestamptz NOT NULL,
  PRIMARY KEY (slice, rung, key));

-- Mismatches of one cause at one field taken together; sentence says for people what they share. state is the arbiter's
-- own and may change with any version. Never removed: they are of the whole migration, not of a rung.
CREATE TABLE IF NOT EXISTS arbiter.mismatch_groups (
  slice text NOT NULL,
  route text NOT NULL,
  cause text NOT NULL,
  path text NOT NULL,
  mismatches bigint NOT NULL,
  first_time timestamptz NOT NULL,
  last_time timestamptz NOT NULL,
  first_exchange text NOT NULL,
  last_exchange text NOT NULL,
  sentence text NOT NULL,
  state text NOT NULL,
  PRIMARY KEY (slice, route, cause, path));

-- Which fields differ when legacy is asked twice (gateway.routes: calibrate). fields: [{path, kind, differing, first,
-- second, proposal}, …]; a proposal is the configuration that would excuse it, for people to decide.
CREATE TABLE IF NOT EXISTS arbiter.noise (
  slice text NOT NULL,
  route text NOT NULL,
  repeats bigint NOT NULL,
  fields jsonb NOT NULL,
  PRIMARY KEY (slice, route));

-- verdict: the name of a verdict, or received, excluded, dropped, split_key, cause_LABEL. route is empty for verdicts on accounts and
-- for split_key.
CREATE TABLE IF NOT EXISTS arbiter.counters (
  slice text NOT NULL,
  route text NOT NULL,
  rung bigint NOT NULL,
  verdict text NOT NULL,
  n bigint NOT NULL,
  PRIMARY KEY (slice, route, rung, verdict));

-- Records that could not be read, with their place in the log.
CREATE TABLE IF NOT EXISTS arbiter.rejected (
  topic text NOT NULL,
  partition int NOT NULL,
  "offset" bigint NOT NULL,
  reason text NOT NULL,
  value bytea NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition, "offset"));

-- Where reading continues. Advanced by compare-and-set in the transaction that holds the results. shard: the partition of
-- shadow-requests whose slices are judged together; gateway-status is read by every shard for itself.
CREATE TABLE IF NOT EXISTS arbiter.positions (
  shard int NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  next bigint NOT NULL,
  PRIMARY KEY (shard, topic, partition));

-- Full comparisons of both ledgers' tables. state: requested, running, finished, failed, cancelled; one that is requested
-- or running is open, and a slice has at most one. progress: how far it is, what it found and what it cost (docs/api.md).
CREATE TABLE IF NOT EXISTS arbiter.sweeps (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slice text NOT NULL,
  state text NOT NULL DEFAULT 'requested',
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz,
  version bigint NOT NULL DEFAULT 0,
  progress jsonb NOT NULL DEFAULT '{}',
  problem text NOT NULL DEFAULT '');
CREATE UNIQUE INDEX IF NOT EXISTS sweeps_open ON arbiter.sweeps (slice) WHERE state IN ('requested', 'running');

-- Accounts that a sweep has something to say about. state: undetected (the log showed the account's exchanges and no
-- reason for the difference: an error of the detector), changed (differs by something else than the log's verdicts say),
-- unseen (no exchange of it was ever in the log), explained (differs by the known gap), rebased (records of it were lost;
-- it began anew with these balances), unreadable, busy (moved in every reading), pending. NULL balance: no such account.
CREATE TABLE IF NOT EXISTS arbiter.sweep_accounts (
  sweep bigint NOT NULL REFERENCES arbiter.sweeps (id) ON DELETE CASCADE,
  account text NOT NULL,
  state text NOT NULL,
  legacy_balance text,
  modern_balance text,
  legacy_currency text,
  modern_currency text,
  tries int NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (sweep, account));

-- ---- the arbiter's own state: may change with any version -----------------------------------------------------------

-- How many partitions the slices were spread over when this state began.
CREATE TABLE IF NOT EXISTS arbiter.layout (one boolean PRIMARY KEY DEFAULT true CHECK (one), partitions int NOT NULL);

-- version counts commits: who has not seen the last one may not write. heartbeats: {gateway: [at_us, settled_until_us]}.
CREATE TABLE IF NOT EXISTS arbiter.progress (
  shard int PRIMARY KEY,
  version bigint NOT NULL,
  heartbeats text NOT NULL,
  event_time_us bigint NOT NULL,
  exchange_time_us bigint NOT NULL);

CREATE TABLE IF NOT EXISTS arbiter.accounts (
  shard int NOT NULL, account text NOT NULL, state text NOT NULL, PRIMARY KEY (shard, account));
-- What is usual on a route, and what is known of accounts: name is route/SLICE/ROUTE, account/NAME or account names.
CREATE TABLE IF NOT EXISTS arbiter.cause_state (
  shard int NOT NULL, name text NOT NULL, state text NOT NULL, PRIMARY KEY (shard, name));
-- Rules of accepted changes that a shard judges by, with their counts.
CREATE TABLE IF NOT EXISTS arbiter.accepted_rules (shard int PRIMARY KEY, state text NOT NULL);
CREATE TABLE IF NOT EXISTS arbiter.windows (slice text PRIMARY KEY, state text NOT NULL);
CREATE TABLE IF NOT EXISTS arbiter.units (
  slice text NOT NULL, rung bigint NOT NULL, unit text NOT NULL, PRIMARY KEY (slice, rung, unit));
-- One row a commit. ids: [at_us, exchange id, at_us, exchange id, …], oldest first; facts: [exchange id, facts, …], what
-- a late posting needs to correct a verdict, the newest row of an exchange counts; until_us: event time of the commit.
CREATE TABLE IF NOT EXISTS arbiter.seen_ids (
  shard int NOT NULL, version bigint NOT NULL, until_us bigint NOT NULL, ids text NOT NULL, facts text NOT NULL,
  PRIMARY KEY (shard, version));
DO $$ BEGIN
  IF to_regclass('arbiter.seen') IS NOT NULL THEN  -- of an older version: one row an exchange
    INSERT INTO arbiter.seen_ids (shard, version, until_us, ids, facts)
    SELECT shard, -1, max(at_us), '[' || string_agg(at_us || ',' || to_json(exchange_id), ',' ORDER BY at_us, exchange_id) || ']', ''
    FROM arbiter.seen GROUP BY shard;
    DROP TABLE arbiter.seen;
  END IF;
END $$;
CREATE TABLE IF NOT EXISTS arbiter.open_exchanges (
  shard int NOT NULL,
  waiting boolean NOT NULL,
  late boolean NOT NULL,
  since_us bigint NOT NULL,
  exchange_id text NOT NULL,
  frame bytea NOT NULL,
  PRIMARY KEY (shard, exchange_id));

-- Columns that older versions did not have. Only where they are missing, for adding one locks the table.
-- cause: why the two sides differ, a label of docs/causes.md, empty where that is no question; cause_detail: what was
-- recomputed. streams: how far both change streams stand; stream_progress: how far Debezium's topics were taken,
-- while positions says from where they are read again; event_offset, mark: what an open exchange waits for.
DO $$
DECLARE
  missing CONSTANT text := 'SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2)';
  needed boolean;
BEGIN
  EXECUTE missing INTO needed USING 'arbiter.verdicts', 'cause';
  IF needed THEN
    ALTER TABLE arbiter.verdicts ADD COLUMN cause text NOT NULL DEFAULT '', ADD COLUMN cause_detail text NOT NULL DEFAULT '';
  END IF;
  EXECUTE missing INTO needed USING 'arbiter.seen_ids', 'facts';
  IF needed THEN
    ALTER TABLE arbiter.seen_ids ADD COLUMN facts text NOT NULL DEFAULT '';
  END IF;
  EXECUTE missing INTO needed USING 'arbiter.progress', 'streams';
  IF needed THEN
    ALTER TABLE arbiter.progress ADD COLUMN streams text NOT NULL DEFAULT '';
  END IF;
  EXECUTE missing INTO needed USING 'arbiter.progress', 'stream_progress';
  IF needed THEN
    ALTER TABLE arbiter.progress ADD COLUMN stream_progress text NOT NULL DEFAULT '';
  END IF;
  EXECUTE missing INTO needed USING 'arbiter.open_exchanges', 'mark';
  IF needed THEN
    ALTER TABLE arbiter.open_exchanges ADD COLUMN event_offset bigint NOT NULL DEFAULT -1, ADD COLUMN mark bigint NOT NULL DEFAULT 0;
  END IF;
END $$;
)sql";

}  // namespace phoenix::arbiter
