/**
 * The tables and views of a log as a database of SQLite.
 *
 * The table `events` is the log. The other tables hold what the projections make of it, one row a result: whatever takes a
 * rule of the protocol to know is a projection's, and no query. The views only select, count and add.
 *
 * Times are ns (`…_t_ns` on the log's clock, `ns` a duration), positions are those of the log, addresses are numbers of
 * bytes, ranges `[start, end)`. What is true or false is 1 or 0.
 *
 * @since 0.1.0
 */

/** The columns of each table, in the order of its rows. @internal */
export const TABLES = {
  meta: ["key TEXT PRIMARY KEY", "value TEXT NOT NULL"],
  events: [
    "seq INTEGER PRIMARY KEY",
    "stream TEXT NOT NULL",
    "rev INTEGER NOT NULL",
    "type TEXT NOT NULL",
    "version INTEGER NOT NULL",
    "t_ns INTEGER NOT NULL",
    "thread INTEGER NOT NULL",
    "cause INTEGER",
    "corr INTEGER",
    "how TEXT NOT NULL",
    "src_file TEXT",
    "src_line INTEGER",
    "data TEXT NOT NULL"
  ],
  threads: ["thread INTEGER PRIMARY KEY", "name TEXT NOT NULL", "pid INTEGER"],
  invalidations: [
    "seq INTEGER PRIMARY KEY",
    "t_ns INTEGER NOT NULL",
    "end_seq INTEGER",
    "end_t_ns INTEGER",
    "ns INTEGER",
    "counted_seq INTEGER",
    "uncounted_seq INTEGER",
    "vm TEXT NOT NULL",
    "thread INTEGER NOT NULL",
    "start INTEGER NOT NULL",
    "\"end\" INTEGER NOT NULL",
    "relevant INTEGER NOT NULL",
    "gpcs TEXT NOT NULL",
    "comm TEXT NOT NULL",
    "pid INTEGER NOT NULL",
    "call TEXT NOT NULL",
    "chain TEXT"
  ],
  invalidators: [
    "comm TEXT NOT NULL",
    "pid INTEGER NOT NULL",
    "call TEXT NOT NULL",
    "chain TEXT",
    "count INTEGER NOT NULL",
    "relevant INTEGER NOT NULL",
    "hits INTEGER NOT NULL",
    "retries INTEGER NOT NULL",
    "fault_retries INTEGER NOT NULL",
    "retries_over_page INTEGER NOT NULL"
  ],
  refreshes: [
    "seq INTEGER PRIMARY KEY",
    "t_ns INTEGER NOT NULL",
    "end_seq INTEGER",
    "end_t_ns INTEGER",
    "ns INTEGER",
    "gpc INTEGER NOT NULL",
    "thread INTEGER NOT NULL",
    "laps INTEGER",
    "retries INTEGER NOT NULL",
    "unrelated INTEGER NOT NULL",
    "failed INTEGER"
  ],
  retries: [
    "seq INTEGER PRIMARY KEY",
    "t_ns INTEGER NOT NULL",
    "refresh INTEGER",
    "gpc INTEGER NOT NULL",
    "thread INTEGER NOT NULL",
    "reason TEXT NOT NULL",
    "in_flight INTEGER NOT NULL",
    "covering INTEGER NOT NULL",
    "unrelated INTEGER NOT NULL"
  ],
  gpcs: [
    "gpc INTEGER PRIMARY KEY",
    "pointer TEXT",
    "uhva INTEGER",
    "valid_ns INTEGER NOT NULL",
    "invalid_ns INTEGER NOT NULL",
    "hits INTEGER NOT NULL",
    "misses INTEGER NOT NULL",
    "invalidated INTEGER NOT NULL"
  ],
  validity: [
    "gpc INTEGER NOT NULL",
    "pfn INTEGER NOT NULL",
    "from_seq INTEGER NOT NULL",
    "from_t_ns INTEGER NOT NULL",
    "to_seq INTEGER",
    "to_t_ns INTEGER",
    "ns INTEGER"
  ],
  violations: [
    "seq INTEGER PRIMARY KEY",
    "t_ns INTEGER NOT NULL",
    "property TEXT NOT NULL",
    "judged INTEGER NOT NULL",
    "gpc INTEGER"
  ],
  verdicts: [
    "id TEXT PRIMARY KEY",
    "verdict TEXT NOT NULL",
    "count INTEGER NOT NULL",
    "inferred INTEGER NOT NULL",
    "evidence TEXT NOT NULL"
  ]
} as const

/** The name of a table. @internal */
export type TableName = keyof typeof TABLES

/** The values of a row, one for each column. @internal */
export type Row = ReadonlyArray<string | number | null>

const names = Object.keys(TABLES) as ReadonlyArray<TableName>

/** Makes the tables. @internal */
export const CREATE_TABLES = names.map((name) => `CREATE TABLE ${name} (${TABLES[name].join(", ")}) STRICT;`).join("\n")

/** Adds a row to a table. @internal */
export const insertInto = (name: TableName): string =>
  `INSERT INTO ${name} VALUES (${TABLES[name].map(() => "?").join(", ")})`

/** Made at the end, when it costs least. @internal */
export const CREATE_INDICES = `
CREATE INDEX events_type ON events (type);
CREATE INDEX events_stream ON events (stream, rev);
CREATE INDEX retries_refresh ON retries (refresh);
CREATE INDEX validity_gpc ON validity (gpc, from_seq);
`

/** @internal */
export const CREATE_VIEWS = `
CREATE VIEW top_invalidators AS
SELECT comm, pid, call, sum(retries) AS retries, sum(fault_retries) AS fault_retries,
  sum(retries_over_page) AS retries_over_page, sum(count) AS invalidations, sum(relevant) AS relevant, sum(hits) AS hits
FROM invalidators GROUP BY comm, pid, call
ORDER BY 4 DESC, 5 DESC, 7 DESC, pid, call;

CREATE VIEW retry_reasons AS
SELECT reason, count(*) AS retries, sum(unrelated) AS unrelated, max(in_flight) AS most_in_flight
FROM retries GROUP BY reason ORDER BY 2 DESC, reason;

CREATE VIEW refresh_laps AS
SELECT laps, count(*) AS refreshes, sum(failed) AS failed, max(ns) AS longest_ns
FROM refreshes WHERE end_seq IS NOT NULL GROUP BY laps ORDER BY laps;

CREATE VIEW worst_refreshes AS
SELECT r.seq, r.t_ns, r.ns, r.gpc, coalesce(t.name, r.thread) AS thread, r.laps, r.retries, r.unrelated,
  (SELECT group_concat(reason || ' ' || n, ', ')
   FROM (SELECT reason, count(*) AS n FROM retries WHERE refresh = r.seq GROUP BY reason ORDER BY n DESC, reason)
  ) AS reasons
FROM refreshes r LEFT JOIN threads t USING (thread)
WHERE r.retries > 0 ORDER BY r.retries DESC, r.seq;

CREATE VIEW notifier_count AS
SELECT seq, t_ns, stream AS vm, thread, data ->> 'count' AS count, how
FROM events WHERE type IN ('CountIncremented', 'CountDecremented') ORDER BY seq;

CREATE VIEW notifier_count_time AS
SELECT vm, count, sum(until - t_ns) AS ns, count(*) AS times
FROM (SELECT vm, count, t_ns, lead(t_ns) OVER (PARTITION BY vm ORDER BY seq) AS until FROM notifier_count)
GROUP BY vm, count ORDER BY vm, count;

CREATE VIEW guest_faults AS
SELECT seq, t_ns, stream AS vm, thread, data ->> 'gfn' AS gfn, data ->> 'pfn' AS pfn, data ->> 'reason' AS stale
FROM events WHERE type IN ('GuestFaulted', 'GuestFaultRetried') ORDER BY seq;

CREATE VIEW event_counts AS
SELECT type, count(*) AS events, min(seq) AS first, max(seq) AS last FROM events GROUP BY type ORDER BY 2 DESC, type;
`
