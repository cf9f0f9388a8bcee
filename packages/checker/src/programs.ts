/**
 * Test support: models made of small programs over a few shared cells, and arbitrary ones of them.
 *
 * @since 0.1.0
 */
import * as fc from "fast-check"
import type { Branch, Model } from "./model.ts"

/** An instruction; cells hold 0 to 3, and a thread that runs past its last instruction is done. */
export type Instruction =
  | { readonly op: "set" | "await" | "assert-not"; readonly cell: number; readonly value: number }
  | { readonly op: "add" | "choose"; readonly cell: number }
  | { readonly op: "jump"; readonly to: number }

/** A model's programs, one a thread; `unfair` threads are owed no fairness. */
export interface Programs {
  readonly cells: number
  readonly threads: ReadonlyArray<ReadonlyArray<Instruction>>
  readonly unfair?: ReadonlyArray<number>
  /** Whether who awaits waits in turn. */
  readonly inTurn?: boolean
}

const read = (i: Instruction | undefined): number =>
  i === undefined || i.op === "jump" || i.op === "set" || i.op === "choose" ? 0 : 1 << i.cell
/** Cells 0 and 1 have a property in common: who writes one could mend it, and so reads the other. */
const mends = (cell: number): number => cell <= 1 ? 3 : 0
const write = (i: Instruction | undefined): number =>
  i === undefined || i.op === "jump" || i.op === "await" || i.op === "assert-not" ? 0 : 1 << i.cell

/** The instructions that can run from each place on. */
const reachable = (program: ReadonlyArray<Instruction>, from: number): ReadonlyArray<Instruction> => {
  const places = new Set([from])
  for (const at of places) {
    const i = program[at]
    if (i !== undefined) places.add(i.op === "jump" ? Math.min(i.to, program.length) : at + 1)
  }
  return [...places].map((at) => program[at]).filter((i) => i !== undefined)
}

/**
 * The model. Properties: 0, an `assert-not` found its value; 1, cells 0 and 1 hold 3 and 2; 2, the system is stuck before
 * every thread is done. Goal: every thread is done, again and again.
 */
export const programModel = ({ cells, inTurn = false, threads, unfair = [] }: Programs): Model => {
  const state = new Uint8Array(32)
  const words = new Int32Array(state.buffer)
  const pc = (t: number) => state[cells + t]
  const size = Math.ceil((cells + threads.length) / 4)
  const branches: Array<Branch> = []
  const first = threads.map((program, thread) =>
    program.map((i, at) => {
      const number = branches.length
      const outcomes = i.op === "choose" ? ["0", "1"] : [""]
      for (const outcome of outcomes) branches.push({ thread, step: `${at} ${i.op}`, outcome })
      return number
    })
  )
  const prints = threads.map((program) =>
    Array.from({ length: program.length + 1 }, (_, at) => {
      const reads = (i: Instruction | undefined) => {
        const writes = write(i)
        return read(i) | (writes === 0 ? 0 : mends(Math.log2(writes)))
      }
      const all = reachable(program, at)
      return [
        reads(program[at]),
        write(program[at]),
        all.reduce((set, i) => set | reads(i), 0),
        all.reduce((set, i) => set | write(i), 0)
      ]
    })
  )
  const same = new Map<string, Array<number>>()
  threads.forEach((program, t) => {
    const key = JSON.stringify([program, unfair.includes(t)])
    same.set(key, [...same.get(key) ?? [], t])
  })
  const isDone = () => threads.every((program, t) => pc(t) >= program.length)
  let asserted = 0
  return {
    name: "programs",
    threads: threads.map((_, t) => `thread/${t}`),
    words: size,
    properties: [
      { name: "Asserted", statement: "no assert-not finds its value" },
      { name: "Invariant", statement: "cells 0 and 1 do not hold 3 and 2" },
      { name: "NoDeadlock", statement: "threads do not wait for ever" }
    ],
    branches,
    initials: 1,
    initial: () => words.fill(0),
    unpack: (from, at) => {
      for (let i = 0; i < size; i++) words[i] = from[at + i]
    },
    pack: (to, at) => {
      for (let i = 0; i < size; i++) to[at + i] = words[i]
    },
    ways: (t) => {
      const i = threads[t][pc(t)]
      return i === undefined ? 0 : i.op === "choose" ? 2 : i.op !== "await" || state[i.cell] === i.value ? 1 : 0
    },
    apply: (t, way) => {
      const at = pc(t)
      const i = threads[t][at]
      asserted = i.op === "assert-not" && state[i.cell] === i.value ? 1 : 0
      if (i.op === "set") state[i.cell] = i.value
      if (i.op === "add") state[i.cell] = (state[i.cell] + 1) % 4
      if (i.op === "choose") state[i.cell] = way
      state[cells + t] = i.op === "jump" ? Math.min(i.to, threads[t].length) : at + 1
      return first[t][at] + (i.op === "choose" ? way : 0)
    },
    brokenByStep: () => asserted,
    brokenInState: () => state[0] === 3 && state[1] === 2 ? 2 : 0,
    brokenAtEnd: () => isDone() ? 0 : 4,
    isDone: (t) => pc(t) >= threads[t].length,
    goals: [{ name: "Done", statement: "every thread is done at last", met: isDone }],
    isFair: (t) => !unfair.includes(t),
    waitsInTurn: (t) => inTurn && threads[t][pc(t)]?.op === "await",
    footprint: (t, into, at) => into.set(prints[t][pc(t)], at),
    symmetry: {
      groups: [...same.values()].filter((group) => group.length > 1),
      compare: (a, b) => pc(a) - pc(b),
      exchange: (a, b) => {
        const kept = pc(a)
        state[cells + a] = pc(b)
        state[cells + b] = kept
      }
    }
  }
}

const value = fc.integer({ min: 0, max: 3 })

/** Arbitrary programs of two to four threads. */
export const programs: fc.Arbitrary<Programs> = fc.integer({ min: 2, max: 4 }).chain((cells) => {
  const cell = fc.integer({ min: 0, max: cells - 1 })
  const instruction: fc.Arbitrary<Instruction> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant("set" as const), cell, value }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant("add" as const), cell }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("await" as const), cell, value: fc.nat({ max: 1 }) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("assert-not" as const), cell, value }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("choose" as const), cell }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("jump" as const), to: fc.nat({ max: 5 }) }) }
  )
  const program = fc.array(instruction, { minLength: 1, maxLength: 5 })
  return fc.record({
    cells: fc.constant(cells),
    threads: fc.oneof(
      fc.array(program, { minLength: 2, maxLength: 4 }),
      fc.tuple(program, program).map(([a, b]) => [a, a, b])
    ),
    unfair: fc.subarray([0, 1, 2, 3])
  })
})
