/**
 * What hand-written bpftrace programs print of the notifier's state at a guest page fault.
 *
 * The programs are those of the thread "Deadlock due to EPT_VIOLATION" (kvm@vger.kernel.org, May to August 2023). Their
 * numbers are hexadecimal without 0x, all but ids, counts and times:
 *
 *     4983329 ept[0] vcpu=ffff9c533e1da340 seq=8002c058 inprog=0 start=7fb47c1f5000 end=7fb47c1f6000
 *          11 vcpu=ffff9d518541c680 seq=00000000 inprog=0 start=00000000 end=00000000
 *     vcpu = ffff9c533e1da340 pid = 0 MMU seq = 8002c058, in-prog = 0, start = 7fb47c1f5000, end = 7fb47c1f6000
 *     21:25:50:282354 tid[3484174] pid[3484149] FAULTIN @ rip ffffffff814e6ca5 (90073 hits), gpa = 1343fa0b0, hva =
 *       7feb409fa000, flags = 0 : MMU seq = 8002dc25, in-prog = 0, start = 7feacde61000, end = 7feacde62000
 *
 * The number in front is what `uniq -c` counted, the one in brackets a thread, or 0. A timed line without the state (MAP,
 * ITER, SPTE) is a record, too.
 *
 * @since 0.1.0
 */
import { COLON, EQUALS, MINUS } from "../reading/ascii.ts"
import { bytesOf, isText, startsWith } from "../reading/text.ts"
import { isBlankAt, isIdentifier, numberIn, skipBlanks, skipDigits, skipHexDigits, trimEnd } from "./columns.ts"

const BRACKET = 93

/** A line of such a program, in bounds into the bytes that were read: empty bounds where something is not told. */
export interface FaultState {
  /** The thread and its process, or -1. */
  pid: number
  tgid: number
  /** The time of day, or -1. */
  seconds: number
  micros: number
  /** The word that says which probe it was. */
  nameFrom: number
  nameTo: number
  /** Whether the state is told. */
  told: boolean
  readonly from: Int32Array
  readonly to: Int32Array
}

/** The values of a state, by their places in `from` and `to`. */
export const VCPU = 0
export const SEQ = 1
export const IN_PROGRESS = 2
export const START = 3
export const END = 4

const NAMES: ReadonlyArray<readonly [value: number, name: Uint8Array]> = [
  [VCPU, bytesOf("vcpu")],
  [SEQ, bytesOf("seq")],
  [IN_PROGRESS, bytesOf("inprog")],
  [IN_PROGRESS, bytesOf("in-prog")],
  [IN_PROGRESS, bytesOf("in_prog")],
  [START, bytesOf("start")],
  [END, bytesOf("end")]
]

export const emptyFaultState = (): FaultState => ({
  pid: -1,
  tgid: -1,
  seconds: -1,
  micros: 0,
  nameFrom: 0,
  nameTo: 0,
  told: false,
  from: new Int32Array(5),
  to: new Int32Array(5)
})

const EPT = bytesOf("ept[")
const BARE = bytesOf("vcpu")
const TID = bytesOf(" tid[")
const PID = bytesOf(" pid[")

/** Reads the bytes `[from, to)` as such a line, without a count in front; false where it is none. */
export const readFaultState = (bytes: Uint8Array, from: number, to: number, state: FaultState): boolean => {
  state.pid = state.tgid = state.seconds = -1
  state.nameFrom = state.nameTo = from
  const end = trimEnd(bytes, from, to)
  if (startsWith(bytes, from, end, EPT)) {
    const id = readBracketed(bytes, from, end, EPT)
    if (id < 0) return false
    const pid = numberIn(bytes, from + EPT.length, id)
    if (pid > 0) state.pid = pid
    return readValues(bytes, id + 1, end, state)
  }
  if (startsWith(bytes, from, end, BARE)) return readValues(bytes, from, end, state)
  const rest = readTimed(bytes, from, end, state)
  if (rest < 0) return false
  readValues(bytes, rest, end, state)
  return true
}

/** Reads `HH:MM:SS:ffffff tid[N] pid[N] WORD`; gives where it goes on, or -1. */
const readTimed = (bytes: Uint8Array, from: number, to: number, state: FaultState): number => {
  if (to - from < 15 || bytes[from + 2] !== COLON || bytes[from + 5] !== COLON || bytes[from + 8] !== COLON) return -1
  for (let i = 0; i < 15; i++) {
    if (i !== 2 && i !== 5 && i !== 8 && skipDigits(bytes, from + i, from + i + 1) === from + i) return -1
  }
  const tid = from + 15
  const tidTo = readBracketed(bytes, tid, to, TID)
  if (tidTo < 0) return -1
  const pid = tidTo + 1
  const pidTo = readBracketed(bytes, pid, to, PID)
  if (pidTo < 0) return -1
  const name = skipBlanks(bytes, pidTo + 1, to)
  let nameTo = name
  while (nameTo < to && isIdentifier(bytes[nameTo])) nameTo++
  if (nameTo === name) return -1
  const [h, m, s] = [from, from + 3, from + 6].map((at) => numberIn(bytes, at, at + 2)) as [number, number, number]
  state.seconds = h * 3600 + m * 60 + s
  state.micros = numberIn(bytes, from + 9, from + 15)
  state.pid = numberIn(bytes, tid + TID.length, tidTo)
  state.tgid = numberIn(bytes, pid + PID.length, pidTo)
  state.nameFrom = name
  state.nameTo = nameTo
  return nameTo
}

/** Reads `HEAD[N]` from `at`; gives where the closing bracket stands, or -1. */
const readBracketed = (bytes: Uint8Array, at: number, to: number, head: Uint8Array): number => {
  if (!startsWith(bytes, at, to, head)) return -1
  const digits = at + head.length
  const end = skipDigits(bytes, digits, Math.min(to, digits + 11))
  return end > digits && end - digits <= 10 && bytes[end] === BRACKET ? end : -1
}

/** Reads `name=HEX` or `name = HEX,` of the state: all of it, and nothing behind it, or it is not told. */
const readValues = (bytes: Uint8Array, from: number, to: number, state: FaultState): boolean => {
  state.from.fill(0)
  state.to.fill(0)
  for (let i = from; i < to; i++) {
    if (bytes[i] !== EQUALS) continue
    const value = valueNamed(bytes, from, i)
    if (value < 0) continue
    const first = skipBlanks(bytes, i + 1, to)
    const last = skipHexDigits(bytes, first, to)
    if (last === first || last - first > 16 || state.to[value] !== 0) return state.told = false
    state.from[value] = first
    state.to[value] = last
    i = last - 1
  }
  const whole = state.to[SEQ] !== 0 && state.to[IN_PROGRESS] !== 0 && state.to[START] !== 0
  return state.told = whole && state.to[END] === to
}

/** Which value has the name that stands before the `=` at `at`, or -1. */
const valueNamed = (bytes: Uint8Array, from: number, at: number): number => {
  let to = at
  while (to > from && isBlankAt(bytes[to - 1])) to--
  let name = to
  while (name > from && (isIdentifier(bytes[name - 1]) || bytes[name - 1] === MINUS)) name--
  for (const [value, text] of NAMES) if (isText(bytes, name, to, text)) return value
  return -1
}
