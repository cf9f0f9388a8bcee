// A log as a database of SQLite: it says what the report and the projections say, and nothing is left half written.
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { file } from "@pfnscope/journal"
import type { Envelope, Journal } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { fold, logFile, reportOf, validIntervals, violations } from "@pfnscope/projections"
import type { Report } from "@pfnscope/projections"
import type { Event } from "@pfnscope/protocol"
import { DATABASE_VERSION, writeDatabase } from "@pfnscope/render"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

const root = join(import.meta.dirname, "..")
const bin = join(root, "apps/cli/bin/pfnscope.js")
const folder = mkdtempSync(join(tmpdir(), "pfnscope-sqlite-"))
const at = (name: string) => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))

const pfnscope = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [bin, ...args], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28 })

/** Copies a log, with a bit of its middle flipped. */
const damage = (from: string, to: string): void => {
  const bytes = readFileSync(at(from))
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(at(to), bytes)
}

/** Logs: a storm, violations, what is left of those behind damage, guest faults, and a kernel's trace. */
const LOGS: ReadonlyArray<readonly [name: string, ...args: ReadonlyArray<string>]> = [
  ["storm", "run", "madvise-storm", "--policy", "mainline-6.12", "--until", "500us"],
  ["violated", "run", "torture", "--policy", "end-validating", "--until", "4ms"],
  ["lossy", "export", "damaged.log", "--salvage"],
  ["faults", "run", "guest-faults", "--policy", "mainline-6.12"],
  ["trace", "import", join(root, "packages/trace/captures/A1-6.12.trace.gz")]
]

beforeAll(() => {
  for (const [name, ...args] of LOGS) {
    if (name === "lossy") damage("violated.log", "damaged.log")
    assert.include([0, 1], pfnscope(...args, "-o", `${name}.log`).status, name)
    const { status, stderr } = pfnscope("export", `${name}.log`, "-f", "sqlite", "-o", `${name}.sqlite`)
    assert.deepStrictEqual([status, stderr], [0, ""], name)
  }
}, 120_000)

type Values = Readonly<Record<string, string | number | null>>

const query = (name: string, sql: string): ReadonlyArray<Values> => {
  const db = new DatabaseSync(at(`${name}.sqlite`), { readOnly: true })
  const rows = db.prepare(sql).all().map((row) => ({ ...row }))
  db.close()
  return rows as ReadonlyArray<Values>
}

const one = (name: string, sql: string): Values => query(name, sql)[0]!

const reading = <A, E>(name: string, use: (log: Journal<Event>) => Effect.Effect<A, E>) =>
  Effect.runPromise(
    Effect.flatMap(file(eventCodec, { path: at(`${name}.log`), mode: "read" }), use).pipe(
      Effect.scoped,
      Effect.provide(NodeFileSystem.layer)
    )
  )

const reportOn = (name: string): Promise<Report> =>
  reading(name, (log) => reportOf(log.read(), Effect.succeed(logFile(`${name}.log`, ""))))

describe.each(LOGS.map(([name]) => name))("the database of a log (%s)", (name) => {
  it("has every event as it is", async () => {
    const events: ReadonlyArray<Envelope<Event>> = await reading(name, (log) => Stream.runCollect(log.read()))
    const found = query(name, "SELECT * FROM events ORDER BY seq").map((row) => ({
      ...row,
      data: JSON.parse(row["data"] as string) as unknown
    }))
    const told = events.map(({ cause, corr, data: { _tag, thread, ...data }, src, t, ...rest }) => ({
      ...rest,
      t_ns: t,
      thread,
      cause: cause ?? null,
      corr: corr ?? null,
      src_file: src?.file ?? null,
      src_line: src?.line ?? null,
      data
    }))
    assert.deepStrictEqual(found, told)
  })

  it("says of invalidations and of those who make them what the report says", async () => {
    const { guestFaults, invalidations, invalidators, storm } = await reportOn(name)
    const counted = one(
      name,
      "SELECT count(*) AS count, coalesce(sum(relevant), 0) AS relevant, sum(end_seq IS NULL) AS open, max(ns) AS max FROM invalidations"
    )
    assert.deepStrictEqual(counted, {
      count: invalidations.count,
      relevant: invalidations.overlappingGpc,
      open: invalidations.open,
      max: invalidations.ns.max
    })
    assert.strictEqual(one(name, "SELECT max(count) AS most FROM notifier_count")["most"], invalidations.maxInFlight)
    const rows = invalidators.map((by) => ({
      comm: by.comm,
      pid: by.pid,
      call: by.call,
      chain: by.chain === null ? null : by.chain.join(" "),
      count: by.count,
      relevant: by.overlapping,
      hits: by.hits,
      retries: by.retries,
      fault_retries: by.faultRetries,
      retries_over_page: by.retriesOverPage
    }))
    assert.deepStrictEqual(query(name, "SELECT * FROM invalidators"), rows)
    const each =
      "SELECT comm, pid, call, count(*) AS count, sum(relevant) AS relevant FROM invalidations GROUP BY 1, 2, 3"
    const all = "SELECT comm, pid, call, invalidations AS count, relevant FROM top_invalidators"
    assert.sameDeepMembers([...query(name, each)], [...query(name, all)])
    if (storm !== null) {
      const [{ call, comm, pid, retries } = assert.fail()] = storm.tasks
      assert.deepInclude(one(name, "SELECT * FROM top_invalidators"), { comm, pid, call, retries })
    }
    const faults = one(name, "SELECT count(*) - count(stale) AS mapped, count(stale) AS stale FROM guest_faults")
    assert.deepStrictEqual(faults, { mapped: guestFaults.mapped, stale: guestFaults.stale })
  })

  it("says of refreshes and retries what the report says", async () => {
    const { refreshes } = await reportOn(name)
    const sums =
      "count(end_seq) AS completed, count(*) - count(end_seq) AS unfinished, coalesce(sum(failed), 0) AS failed"
    assert.deepStrictEqual(
      one(
        name,
        `SELECT ${sums}, coalesce(sum(unrelated), 0) AS unrelated, coalesce(max(laps), 0) AS laps FROM refreshes`
      ),
      {
        completed: refreshes.completed,
        unfinished: refreshes.unfinished,
        failed: refreshes.failed,
        unrelated: refreshes.unrelatedLaps,
        laps: refreshes.lapsMax
      }
    )
    const laps = query(name, "SELECT laps, refreshes AS count FROM refresh_laps")
    assert.deepStrictEqual(laps, refreshes.laps)
    const reasons = query(name, "SELECT reason, retries AS count, unrelated FROM retry_reasons")
    assert.sameDeepMembers(reasons.map(({ count, reason }) => ({ reason, count })), [...refreshes.retriesBy])
    assert.strictEqual(reasons.reduce((sum, { unrelated }) => sum + Number(unrelated), 0), refreshes.unrelatedLaps)
    const worst = query(name, "SELECT seq, laps FROM worst_refreshes WHERE laps IS NOT NULL LIMIT 3")
    const most = refreshes.worst.filter((refresh) => refresh.laps > 1).slice(0, 3)
    assert.deepStrictEqual(worst, most.map(({ laps, seq }) => ({ seq, laps })))
    const lost = "SELECT seq FROM refreshes r WHERE retries <> (SELECT count(*) FROM retries WHERE refresh = r.seq)"
    assert.deepStrictEqual(query(name, lost), [])
  })

  it("says of caches, validity, violations and verdicts what the projections say", async () => {
    const { gpcs, verdicts } = await reportOn(name)
    const caches = gpcs.map(({ checks, id, invalidNs, invalidated, pointer, uhva, validNs }) => ({
      gpc: id,
      pointer,
      uhva: uhva === null ? null : Number(uhva),
      valid_ns: validNs,
      invalid_ns: invalidNs,
      hits: checks.hit,
      misses: checks.miss,
      invalidated
    }))
    assert.deepStrictEqual(query(name, "SELECT * FROM gpcs ORDER BY gpc"), caches)
    const intervals = await reading(name, (log) => fold(validIntervals, log.read()))
    const told = [...intervals].sort(([a], [b]) => a - b).flatMap(([gpc, all]) =>
      all.map(({ from, pfn, to }) => ({ gpc, pfn, from_seq: from.seq, to_seq: to?.seq ?? null }))
    )
    assert.deepStrictEqual(query(name, "SELECT gpc, pfn, from_seq, to_seq FROM validity ORDER BY gpc, from_seq"), told)
    const { counts, list } = await reading(name, (log) => fold(violations, log.read()))
    const counted = query(name, "SELECT property, count(*) AS n FROM violations GROUP BY 1").map((row) =>
      Object.values(row)
    )
    assert.sameDeepMembers(counted, [...counts])
    const judged = query(name, "SELECT seq, judged FROM violations ORDER BY seq LIMIT 100")
    assert.deepStrictEqual(judged, list.slice(0, 100).map(({ judged, seq }) => ({ seq, judged })))
    const verdictRows = query(name, "SELECT id, verdict, count FROM verdicts")
    assert.deepStrictEqual(verdictRows, verdicts.map(({ count, id, verdict }) => ({ id, verdict, count })))
  })
})

/** One line on stderr, nothing on stdout. */
const refuses = (code: number, message: RegExp, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = pfnscope("export", "-f", "sqlite", ...args)
  assert.deepStrictEqual([status, stdout, stderr.trimEnd().split("\n").length], [code, "", 1], stderr)
  assert.match(stderr, message)
}

describe("export -f sqlite", () => {
  it("tells which log it was, and the version of its tables", () => {
    const { head } = JSON.parse(pfnscope("verify", "storm.log", "--json").stdout) as { readonly head: string }
    const meta = Object.fromEntries(query("storm", "SELECT * FROM meta").map(({ key, value }) => [key, value]))
    assert.deepInclude(meta, { log: "storm.log", codec: "pfnscope.event", head })
    assert.deepInclude(JSON.parse(meta["header"] as string), { scenario: "madvise-storm", seed: 1 })
    assert.deepStrictEqual(one("storm", "PRAGMA user_version"), { user_version: DATABASE_VERSION })
    assert.deepStrictEqual(one("storm", "PRAGMA integrity_check"), { integrity_check: "ok" })
  })

  it("has every table and view explained in docs/sql.md, each view with a query", () => {
    const page = readFileSync(join(root, "docs/sql.md"), "utf8")
    for (
      const { name, type } of query("storm", "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view')")
    ) {
      assert.include(page, type === "table" ? `| \`${name}\`` : `## ${name}\n`)
      if (type === "view") assert.match(page, new RegExp(`\\$ sqlite3 .*FROM ${name}\\b`))
      const shown = query("storm", `SELECT name FROM pragma_table_info('${name}')`)
      if (type === "table") { for (const column of shown) assert.include(page, `\`${column["name"]}\``) }
    }
  })

  it("refuses a file that exists, a damaged log, and a salvage, and leaves nothing behind", () => {
    const before = readdirSync(folder)
    refuses(2, /^pfnscope: storm\.sqlite: exists already, expected/, "storm.log", "-o", "storm.sqlite")
    refuses(2, /^pfnscope: no\/such\.sqlite: the database was not written: /, "storm.log", "-o", "no/such.sqlite")
    refuses(2, /^pfnscope: --salvage: writes a log/, "storm.log", "--salvage", "-o", "new.sqlite")
    assert.deepStrictEqual(readdirSync(folder), before)
    refuses(4, /^pfnscope: damaged\.log: damaged at byte \d+, event #\d+/, "damaged.log", "-o", "new.sqlite")
    writeFileSync(at("new.sqlite.creating"), "")
    refuses(2, /new\.sqlite\.creating exists, of an export under way/, "storm.log", "-o", "new.sqlite")
    assert.isFalse(existsSync(at("new.sqlite")))
    assert.isTrue(existsSync(at("new.sqlite.creating")))
  })

  it("says in a line that the disk is full, and leaves nothing behind", () => {
    const command = `"${process.execPath}" "${bin}" export storm.log -f sqlite -o full.sqlite`
    const { status, stderr } = spawnSync("sh", ["-c", `ulimit -f 500; ${command}`], { cwd: folder, encoding: "utf8" })
    assert.strictEqual(status, 2)
    assert.match(stderr, /^pfnscope: full\.sqlite: the database was not written: .+\n$/)
    assert.deepStrictEqual(readdirSync(folder).filter((entry) => entry.startsWith("full")), [])
  })

  it("leaves nothing behind when the log fails to be read in the middle", async () => {
    const gap = reading("storm", (log) => {
      const read: typeof log.read = (options) => Stream.filter(log.read(options), ({ seq }) => seq !== 5_000)
      return writeDatabase({ ...log, read }, { source: "storm.log", output: at("gap.sqlite") }).pipe(
        Effect.provide(NodeFileSystem.layer),
        Effect.flip
      )
    })
    assert.strictEqual((await gap).message, "sqlite: event #5001 came where #5000 was expected")
    assert.deepStrictEqual(readdirSync(folder).filter((entry) => entry.startsWith("gap")), [])
  })
})
