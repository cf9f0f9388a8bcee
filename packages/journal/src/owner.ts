/**
 * Which process holds something, told apart from a later one that was given its number.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"

/**
 * A process: its number, when it was started (in ticks since the boot), and the boot it runs in.
 *
 * @internal
 */
export interface Owner {
  readonly pid: number
  readonly start: string
  readonly boot: string
}

/** The processes that can hold a lock: this one, and which of the others still run. @internal */
export interface Processes {
  readonly self: Owner
  readonly runs: (owner: Owner) => boolean
}

/** The processes of this machine, unless a test has others. @internal */
export const Processes: Context.Reference<Processes> = Context.Reference<Processes>("@pfnscope/journal/Processes", {
  defaultValue: () => machine()
})

const machine = (): Processes => {
  const boot = Option.getOrElse(textOf("/proc/sys/kernel/random/boot_id"), () => "unknown").trim()
  const self = { pid: process.pid, start: startOf(process.pid) ?? "unknown", boot }
  return {
    self,
    runs: (owner) => {
      if (owner.boot !== boot) return false
      const start = startOf(owner.pid)
      // Where /proc shows nothing (another system, other users' processes hidden) a signal still tells.
      return start === null ? exists(owner.pid) : start === owner.start
    }
  }
}

const textOf = (path: string): Option.Option<string> =>
  Result.getSuccess(Result.try(() => readFileSync(path, "latin1")))

/** When a process was started, `null` when that is not known. One that ended and is not yet waited for has no start. */
const startOf = (pid: number): string | null => {
  const stat = Option.getOrNull(textOf(`/proc/${pid}/stat`))
  if (stat === null) return null
  // The second field is the command's name, which may hold anything; the third is the state, the 22nd the start.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields[0] === "Z" || fields[0] === "X" ? "ended" : fields[19] ?? null
}

const exists = (pid: number): boolean => {
  const signalled = Result.try({ try: () => process.kill(pid, 0), catch: (error) => error as NodeJS.ErrnoException })
  return Result.isSuccess(signalled) || signalled.failure.code === "EPERM"
}

/** An owner in one line. @internal */
export const ownerText = ({ boot, pid, start }: Owner): string => `pid ${pid} start ${start} boot ${boot}`

/** The owner that a line names, `null` when it names none. @internal */
export const parseOwner = (text: string): Owner | null => {
  const [, pid, start, boot] = /^pid ([1-9]\d{0,9}) start (\S+) boot (\S+)$/.exec(text) ?? []
  return pid === undefined || start === undefined || boot === undefined ? null : { pid: Number(pid), start, boot }
}
