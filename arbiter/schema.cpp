#include "arbiter/schema.hpp"

namespace phoenix::arbiter {

const char* const kSchemaSql = R"sql(
CREATE SCHEMA IF NOT EXISTS arbiter;

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
-- Why the two sides differ: a label of docs/causes.md, empty where that is no question, and what was recomputed.
ALTER TABLE arbiter.verdicts ADD COLUMN IF NOT EXISTS cause text NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS cause_detail text NOT NULL DEFAULT '';
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
CREATE TABLE IF NOT EXISTS arbiter.windows (slice text PRIMARY KEY, state text NOT NULL);
CREATE TABLE IF NOT EXISTS arbiter.units (
  slice text NOT NULL, rung bigint NOT NULL, unit text NOT NULL, PRIMARY KEY (slice, rung, unit));
CREATE TABLE IF NOT EXISTS arbiter.seen (
  shard int NOT NULL, exchange_id text NOT NULL, at_us bigint NOT NULL, PRIMARY KEY (shard, exchange_id));
CREATE INDEX IF NOT EXISTS seen_by_age ON arbiter.seen (shard, at_us);
CREATE TABLE IF NOT EXISTS arbiter.open_exchanges (
  shard int NOT NULL,
  waiting boolean NOT NULL,
  late boolean NOT NULL,
  since_us bigint NOT NULL,
  exchange_id text NOT NULL,
  frame bytea NOT NULL,
  PRIMARY KEY (shard, exchange_id));

-- Where change streams are read. streams: how far both stand; facts: what a late posting needs to correct a verdict.
ALTER TABLE arbiter.progress ADD COLUMN IF NOT EXISTS streams text NOT NULL DEFAULT '';
ALTER TABLE arbiter.seen ADD COLUMN IF NOT EXISTS facts text NOT NULL DEFAULT '';
ALTER TABLE arbiter.open_exchanges ADD COLUMN IF NOT EXISTS event_offset bigint NOT NULL DEFAULT -1;
ALTER TABLE arbiter.open_exchanges ADD COLUMN IF NOT EXISTS mark bigint NOT NULL DEFAULT 0;
)sql";

}  // namespace phoenix::arbiter
