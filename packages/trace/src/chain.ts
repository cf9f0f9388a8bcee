/**
 * Call chains: frames that follow a record become one event, whose cause is the last event of that record.
 *
 * @since 0.1.0
 */
import type { Task } from "./cast.ts"
import { decode } from "./text.ts"
import { write } from "./writer.ts"
import type { Writer } from "./writer.ts"

/** Frames that are kept of a chain: those nearest to the probe. */
const MOST_FRAMES = 32

/** Longest name of a function: KSYM_NAME_LEN. */
const LONGEST_NAME = 512

export interface Chain {
  /** A chain may follow, of the last record of `task`. */
  readonly follows: (task: Task | undefined) => void
  /** Takes the frame in the writer's line. */
  readonly frame: () => void
  /** Whether a frame was taken since the last `end`. */
  readonly isOpen: () => boolean
  /** The chain is over: writes its event, if its record made one. */
  readonly end: () => void
}

export const makeChain = (w: Writer): Chain => {
  const names: Array<string> = []
  let task: Task | undefined
  let number = 0
  let open = false

  const frame = (): void => {
    const { bodyFrom, bodyTo, bytes } = w.line
    if (!open) number = w.line.number
    open = true
    if (task === undefined || names.length >= MOST_FRAMES || bodyTo === bodyFrom) return
    names.push(printable(decode(bytes, bodyFrom, Math.min(bodyTo, bodyFrom + LONGEST_NAME))))
  }

  const end = (): void => {
    if (task !== undefined && task.said > 0 && names.length > 0) {
      w.src = { file: w.file, line: number }
      const data = { _tag: "CallChainSeen", thread: task.thread, frames: names.join(" ") } as const
      write(w, task.stream, "observed", data, undefined, task.said)
    }
    names.length = 0
    task = undefined
    open = false
  }

  return {
    follows: (of) => {
      task = of
    },
    frame,
    isOpen: () => open,
    end
  }
}

/** A name is one word: what is no visible character becomes a `?`. */
const printable = (name: string): string => name.replaceAll(/[^\x21-\x7e\u00a1-\ufffc]/g, "?")
