/**
 * What must hold of every step whatever the protocol, found out in random worlds where everything happens: a step
 * keeps to its actor, nothing leaks, and nobody is left waiting who could go on.
 */
import { assert, describe, it } from "@effect/vitest"
import type { PropertyId } from "./event.ts"
import { CHANGE, Evolve } from "./evolve.ts"
import { execute } from "./execute.ts"
import { L, LABELS, RETIRED } from "./label.ts"
import type { Label } from "./label.ts"
import { invalidatedBy } from "./mmu.ts"
import { POLICIES } from "./policies/index.ts"
import type { Policy } from "./policy.ts"
import { programOf } from "./program.ts"
import { randomRun, randomWorld, seeded } from "./random.ts"
import type { Outcome } from "./random.ts"
import { initialState, OP, regionOf, translate } from "./state.ts"
import type { State, Thread } from "./state.ts"
import { threadActor } from "./step.ts"
import type { Program } from "./step.ts"
import type { World } from "./world.ts"

const LIMIT = 5000

const deadlocks = (policy: Policy) => !policy.wait.queued || policy.wait.afterwards === "relock"

/** Cells that tell of every access while they are watched. */
const watchedCells = () => {
  const touched = new Set<number>()
  let watching = false
  const note = (key: string | symbol) => {
    if (watching && typeof key === "string" && key !== "length") touched.add(Number(key))
  }
  const allocate = (length: number) =>
    new Proxy(new Float64Array(length), {
      get: (cells, key) => {
        note(key)
        return Reflect.get(cells, key, cells)
      },
      set: (cells, key, value) => {
        note(key)
        return Reflect.set(cells, key, value, cells)
      }
    })
  const watch = <A>(run: () => A): A => {
    touched.clear()
    watching = true
    const result = run()
    watching = false
    return result
  }
  return { allocate, touched, watch }
}

/** The places where a run of random worlds leaves the cells it may touch: "label: cell of actor n". */
const trespasses = (policy: Policy, seeds: number): ReadonlyArray<string> => {
  const found = new Set<string>()
  const { allocate, touched, watch } = watchedCells()
  const program = programOf(policy)
  for (let seed = 0; seed < seeds; seed++) {
    const random = seeded(seed)
    const state = initialState(randomWorld(random), allocate)
    const evolve = new Evolve(state)
    const actors = 2 + state.gpcs.length + state.threads.length
    const regions = Array.from({ length: actors }, (_, actor) => regionOf(state, actor))
    const within = <A>(what: string, allowed: ReadonlyArray<number>, run: () => A): A => {
      const result = watch(run)
      for (const cell of touched) {
        const actor = regions.findIndex(({ from, to }) => from <= cell && cell < to)
        if (!allowed.includes(actor)) found.add(`${what}: a cell of actor ${actor}, not of ${allowed.join(" or ")}`)
      }
      return result
    }
    const watched: Program = program.map((step) => {
      const allowed = (s: State, t: Thread) => {
        const self = threadActor(s, t.id)
        return [within(`${step.label} actor`, [self], () => step.actor(s, t)), self]
      }
      const { choices, guard } = step
      return {
        ...step,
        ...(guard && { guard: (s, t) => within(`${step.label} guard`, allowed(s, t), () => guard(s, t)) }),
        ...(choices && { choices: (s, t) => within(`${step.label} choices`, allowed(s, t), () => choices(s, t)) }),
        run: (s, t, _emit, choice) =>
          within(step.label, allowed(s, t), () => {
            const to = step.run(s, t, evolve, choice)
            evolve.moved(t.id, to)
            return to
          })
      }
    })
    randomRun(state, watched, random, (step, t, choice) => step.run(state, t, evolve, choice), LIMIT)
  }
  return [...found]
}

describe("a step reads and writes the cells of its actor and of its thread, and no others", () => {
  it.each(POLICIES)("$name", (policy) => {
    assert.deepStrictEqual(trespasses(policy, 12), [])
  })
})

/** The ways that steps go without saying so in `to`: "label -> label". */
const detours = (policy: Policy, seeds: number): ReadonlyArray<string> => {
  const found = new Set<string>()
  const program = programOf(policy)
  for (let seed = 0; seed < seeds; seed++) {
    const random = seeded(seed)
    const state = initialState(randomWorld(random))
    const executor = execute(state, { event: () => {}, violated: () => {} })
    randomRun(state, program, random, (step, t, choice) => {
      const before = t.op
      executor.step(step, t, choice)
      const op = step.label === "idle" ? t.op : before
      if (!step.to(op).includes(t.pc)) found.add(`${step.label} -> ${LABELS[t.pc]}`)
    }, LIMIT)
  }
  return [...found]
}

describe("a step leads where it says", () => {
  it.each(POLICIES)("$name", (policy) => {
    assert.deepStrictEqual(detours(policy, 30), [])
  })
})

describe("a range that an operation announces", () => {
  it("is one of those that it can announce, unless a fault copies", () => {
    const announced = new Set<number>()
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(seed)
      const state = initialState(randomWorld(random))
      const scratch = initialState(state.geo.world)
      const executor = execute(state, {
        event: (tag, thread, start, end, _event, change) => {
          if (tag !== "RangeStartCalled" || change === CHANGE["copy-on-write"]) return
          const { a, b, d, op } = state.threads[thread]
          announced.add(op)
          assert.deepInclude(invalidatedBy(scratch, { op, a, b, c: d }), [start, end], `seed ${seed}`)
        },
        violated: () => {}
      })
      randomRun(state, programOf(POLICIES[0]), random, executor.step, LIMIT)
    }
    assert.includeMembers([...announced], [OP.madvise, OP.munmap, OP.mremap, OP.fork, OP.migrate, OP.ksm_merge])
  })
})

interface Ending {
  readonly state: State
  readonly outcome: Outcome
  readonly found: ReadonlySet<PropertyId>
  /** Operations that were called and have not returned. */
  readonly calls: number
  readonly seed: number
}

const endings = (
  policy: Policy,
  seeds: number,
  worldOf: (world: World) => World = (world) => world,
  seen: Set<Label> = new Set()
): ReadonlyArray<Ending> => {
  const program = programOf(policy)
  return Array.from({ length: seeds }, (_, seed) => {
    const random = seeded(seed)
    const state = initialState(worldOf(randomWorld(random)))
    const found = new Set<PropertyId>()
    let calls = 0
    const executor = execute(state, {
      event: (tag) => {
        if (tag === "Called") calls++
        if (tag === "Returned") calls--
      },
      violated: (property) => found.add(property)
    })
    const outcome = randomRun(state, program, random, (step, t, choice) => {
      seen.add(step.label)
      executor.step(step, t, choice)
    }, LIMIT)
    return { state, outcome, found, calls, seed }
  })
}

/** What is left over in a state whose threads are all done. */
const leftovers = ({ geo, gpcs, kvm, mmu, threads }: State): ReadonlyArray<string> => {
  const left: Array<string> = []
  const nothing = (what: string, n: number) => {
    if (n !== 0) left.push(`${what}: ${n}`)
  }
  const mapped = new Map<number, number>()
  for (let page = 0; page < geo.pages; page++) {
    const pfn = mmu.pfn(page)
    if (pfn !== 0) mapped.set(pfn, (mapped.get(pfn) ?? 0) + 1)
    if (pfn !== 0 && mmu.frame(pfn) < 0) left.push(`page ${page} maps ${pfn}, which is free`)
    for (const t of threads) nothing(`page ${page} gathered by thread ${t.id}`, mmu.gathered(t.id, page))
  }
  for (let i = 0; i < geo.frames; i++) {
    const at = mmu.at(i)
    const pfn = mmu.pfnAt(at)
    nothing(`gup references of ${pfn}`, mmu.gup(at))
    nothing(`gather references of ${pfn}`, mmu.gather(at))
    nothing(`mapcount of ${pfn} beside its entries`, mmu.mapcount(at) - (mapped.get(pfn) ?? 0))
  }
  geo.world.memslots.forEach((slot, i) => {
    for (let page = 0; page < slot.pages; page++) {
      const spte = kvm.spte(geo.slotBase[i] + page)
      const host = geo.pageOf(translate(geo, kvm, slot.gpa + page * geo.pageSize))
      const mapped = host < 0 ? 0 : mmu.pfn(host)
      if (spte !== 0 && spte !== mapped) left.push(`the guest maps ${spte} where the host has ${mapped}`)
    }
  })
  nothing("mmap_lock", mmu.mmapWriter + mmu.mmapReaders)
  nothing("mn_active_invalidate_count", kvm.count)
  nothing("mmu_invalidate_in_progress", kvm.inProgress)
  nothing("locks of kvm", kvm.mnLock + kvm.gpcLock + kvm.slotsLock)
  nothing("readers of kvm->srcu", kvm.srcuReaders(0) + kvm.srcuReaders(1))
  nothing("sleepers", kvm.sleepers)
  nothing("generation in flux", kvm.generation % 2)
  for (const gpc of gpcs) nothing(`locks of gpc ${gpc.id}`, gpc.readers + gpc.writer + gpc.refreshLock)
  for (const t of threads) {
    const { copy, depth, newKhva, newPfn, srcu } = t
    nothing(`registers of thread ${t.id}`, copy + depth + newKhva + newPfn + srcu)
  }
  return left
}

describe("when all is done nothing is left over: no reference, no lock, no stale page in the guest", () => {
  it.each(POLICIES)("$name", (policy) => {
    const done = endings(policy, 150).filter(({ outcome }) => outcome === "done")
    assert.isAbove(done.length, 20)
    for (const { calls, seed, state } of done) {
      assert.deepStrictEqual(leftovers(state), [], `seed ${seed}`)
      assert.strictEqual(calls, 0, `seed ${seed}`)
    }
  })
})

/** Whether a thread holds the gpc->lock of the cache that its operation, or its walk, is about. */
const waitsForItself = ({ gpcs }: State, t: Thread): boolean =>
  gpcs[t.a]?.writer === t.id + 1 || gpcs[t.cursor]?.writer === t.id + 1

describe("nobody waits for ever", () => {
  it.each(POLICIES.filter((policy) => !deadlocks(policy)))("$name", (policy) => {
    for (const { outcome, seed } of endings(policy, 150)) assert.strictEqual(outcome, "done", `seed ${seed}`)
  })

  it.each(POLICIES.filter(deadlocks))("$name, but for those that its defect stops", (policy) => {
    const stuck = endings(policy, 150).filter(({ outcome }) => outcome !== "done")
    assert.isAbove(stuck.length, 0)
    for (const { found, seed, state } of stuck) {
      const [culprit] = state.threads.filter((t) =>
        policy.wait.queued ? waitsForItself(state, t) : state.kvm.sleeping(t.id) === 2
      )
      assert.isDefined(culprit, `seed ${seed}`)
      if (policy.wait.queued) assert.isTrue(found.has("P10"), `seed ${seed}`)
    }
    const [property] = policy.wait.queued ? ["P10" as const] : ["P9" as const]
    assert.isTrue(stuck.some(({ found }) => found.has(property)))
  })
})

/** The world with caches by guest address only, so that a memslot covers what they map. */
const guestAddressesOnly = (world: World): World => ({
  ...world,
  gpcs: world.gpcs.map(({ gpa = world.memslots[0].gpa, state }) => ({ gpa, state })),
  threads: world.threads.map((thread) => ({
    ...thread,
    ops: thread.ops.map((op) =>
      op._tag === "gpc_activate_hva" ? { _tag: "gpc_activate", gpc: op.gpc, gpa: world.memslots[0].gpa } : op
    )
  }))
})

describe("in worlds where everything happens", () => {
  it.each(POLICIES.filter(({ name }) => ["mainline-7.3", "flag-wait", "exact-ranges"].includes(name)))(
    "$name violates nothing",
    (policy) => {
      for (const { found, seed } of endings(policy, 1000)) assert.deepStrictEqual([...found], [], `seed ${seed}`)
    }
  )

  const needMemslots = ["mainline-6.1", "mainline-6.12", "range-retry", "range-retry-fixed", "range-spin"]
  it.each(POLICIES.filter(({ name }) => needMemslots.includes(name)))(
    "$name violates nothing for caches by guest address",
    (policy) => {
      for (const { found, seed } of endings(policy, 500, guestAddressesOnly)) {
        assert.deepStrictEqual([...found], [], `seed ${seed}`)
      }
    }
  )

  it("labels keep the places that logs of 0.1.0 know them by", () => {
    const places = { idle: 0, "retry.deadlock": 56, "retry.map": 57, "guest.put": 70 }
    assert.deepStrictEqual(Object.fromEntries(Object.keys(places).map((name) => [name, L[name as Label]])), places)
  })

  it("every step is reached", () => {
    const seen = new Set<Label>()
    for (const policy of POLICIES) endings(policy, 40, (world) => world, seen)
    assert.deepStrictEqual(LABELS.filter((label) => !seen.has(label) && !RETIRED.includes(label)), [])
  })
})
