/**
 * Call chains: frames that follow a record become one event, whose cause is the last event of that record.
 *
 * @since 0.1.0
 */
import { decode } from "../reading/text.ts"
import type { Task } from "./cast.ts"
import { write } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** Frames that are kept of a chain: those nearest to the probe. */
const MOST_FRAMES = 32

/** Longest name of a function: KSYM_NAME_LEN. */
const LONGEST_NAME = 512

export interface Chain {
  /** A chain may follow, of the last record of this task. */
  task: Task | undefined
  /** Whether frames wait for their `end`. */
  open: boolean
  /** Takes the frame in the writer's line. */
  readonly frame: () => void
  /** The chain is over: writes its event, if its record made one. */
  readonly end: () => void
}

export const makeChain = (w: Writer): Chain => {
  const names: Array<string> = []
  let number = 0

  const frame = (): void => {
    const { bodyFrom, bodyTo, bytes } = w.line
    if (!chain.open) number = w.line.number
    chain.open = true
    if (names.length >= MOST_FRAMES || bodyTo === bodyFrom) return
    names.push(printable(decode(bytes, bodyFrom, Math.min(bodyTo, bodyFrom + LONGEST_NAME))))
  }

  const end = (): void => {
    const { task } = chain
    if (task !== undefined && task.said > 0 && names.length > 0) {
      w.src = { file: w.file, line: number }
      const data = { _tag: "CallChainSeen", thread: task.thread, frames: names.join(" ") } as const
      write(w, task.stream, "observed", data, undefined, task.said)
    }
    names.length = 0
    chain.task = undefined
    chain.open = false
  }

  const chain: Chain = { task: undefined, open: false, frame, end }
  return chain
}

/** A name is one word: what is no visible character becomes a `?`. */
const printable = (name: string): string => name.replaceAll(/[^\x21-\x7e\u00a1-\ufffc]/g, "?")
