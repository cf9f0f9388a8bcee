/**
 * The columns that ftrace prints with the options latency-format and verbose, and trace-cmd report with -l.
 *
 *     COMM-PID CPUFLAGS TIMEus: EVENT: BODY                                   latency-format: the name is cut to 8
 *     COMM PID CPU FLAGS COUNT INDEX [US] TIMEms (+TIMEms): EVENT: BODY       with verbose: US is the time in hex
 *     COMM-PID CPUFLAGS SECONDS.FRACTION: EVENT: BODY                         trace-cmd report -l
 *
 * Rare, so that they are read by regular expressions, over one character a byte. A name cannot hold what stands between
 * it and the event: that is longer than a name.
 *
 * @since 0.1.0
 */
import { decodeBytewise } from "../reading/text.ts"
import type { TraceLine } from "./format.ts"

const LATENCY =
  /^ {0,8}(?<comm>[^]{0,8}?)-(?<pid>\d{1,10}) +(?<cpu>\d{1,4})(?<flags>[A-Za-z.][A-Za-z0-9.]{2,7}) +(?:(?<us>\d{1,15})us[ !+#*@$.]?|(?<s>\d{1,12})\.(?<f>\d{6}(?:\d{3})?)): /d

const VERBOSE =
  /^ {0,16}(?<comm>[^]{0,15}?) +(?<pid>\d{1,10}) +(?<cpu>\d{1,4}) \d+ [0-9a-f]{8} [0-9a-f]{8,16} \[(?<hex>[0-9a-f]{8,13})\] \d+\.\d{3}ms \(\+\d+\.\d{3}ms\): /d

/** Reads the columns of latency-format, which begin at `from`; gives where the event begins, or -1. */
export const readLatencyContext = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number =>
  readBy(LATENCY, bytes, from, to, line)

/** Reads the columns of latency-format with verbose; gives where the event begins, or -1. */
export const readVerboseContext = (bytes: Uint8Array, from: number, to: number, line: TraceLine): number =>
  readBy(VERBOSE, bytes, from, to, line)

const NOWHERE: readonly [number, number] = [0, 0]

/** All columns are within so many bytes. */
const WIDEST = 160

const readBy = (columns: RegExp, bytes: Uint8Array, from: number, to: number, line: TraceLine): number => {
  const match = columns.exec(decodeBytewise(bytes, from, Math.min(to, from + WIDEST)))
  if (match === null) return -1
  const { cpu, f, hex, pid, s, us } = match.groups as Partial<Record<string, string>>
  const { comm = NOWHERE, flags = NOWHERE } = match.indices!.groups as Partial<
    Record<string, readonly [number, number]>
  >
  line.bytes = bytes
  line.commFrom = from + comm[0]
  line.commTo = from + comm[1]
  line.pid = Number(pid)
  line.tgid = -1
  line.cpu = Number(cpu)
  line.flagsFrom = from + flags[0]
  line.flagsTo = from + flags[1]
  setTime(line, us ?? (hex === undefined ? undefined : String(Number.parseInt(hex, 16))), s, f)
  return from + match[0].length
}

/** A time in microseconds, or in seconds and their fraction. */
const setTime = (line: TraceLine, us: string | undefined, s: string | undefined, f: string | undefined): void => {
  if (us !== undefined) {
    line.seconds = Math.floor(Number(us) / 1e6)
    line.nanos = (Number(us) % 1e6) * 1000
    line.digits = 6
    return
  }
  line.seconds = Number(s)
  line.nanos = Number(f!.padEnd(9, "0"))
  line.digits = f!.length === 9 ? 9 : 6
}
