/**
 * What must happen at last: refreshes end.
 *
 * P6 and P7 speak of different worlds. While only ranges off a cache's page are invalidated, a refresh of the cache must
 * end (P6); where its page is invalidated as well, but not for ever, it must end after the last of these (P7). Where its
 * page is invalidated for ever, nobody is promised anything.
 *
 * @since 0.1.0
 */
import {
  initialState,
  INVALID_GPA,
  invalidatedBy,
  KVM_HVA_ERR_BAD,
  L,
  OP,
  PROPERTIES,
  translate
} from "@pfnscope/protocol"
import type { OpCode, State, Thread } from "@pfnscope/protocol"
import type { Goal } from "../model.ts"
import { symmetryOf } from "./symmetry.ts"

const STATEMENTS = Object.fromEntries(PROPERTIES.map(({ id, statement }) => [id, statement]))

/** The pages (addresses) that an operation refreshes a cache for. */
const refreshedBy = ({ geo, gpcs, kvm }: State, { a, b, op }: OpCode): ReadonlyArray<number> => {
  switch (op) {
    case OP.gpc_refresh:
    case OP.gpc_use:
      return [gpcs[a].uhva]
    case OP.gpc_activate:
    case OP.gpc_write_own:
      return [translate(geo, kvm, b)]
    case OP.gpc_activate_hva:
      return [b]
    default:
      return []
  }
}

/** How often a page is invalidated in a world. */
type Often = "never" | "sometimes" | "for ever"

const invalidationsOf = (scratch: State, hva: number): Often => {
  const { geo } = scratch
  const covers = ([start, end]: readonly [number, number]) => start < hva + geo.pageSize && hva < end
  const repeats = geo.world.threads.flatMap(({ repeat }, t) =>
    geo.scripts[t].some((op) => invalidatedBy(scratch, op).some(covers)) ? [repeat] : []
  )
  return repeats.length === 0 ? "never" : repeats.includes(0) ? "for ever" : "sometimes"
}

const goalOf = (state: State, thread: Thread): ReadonlyArray<Goal> => {
  const pages = state.geo.scripts[thread.id].flatMap((op) => refreshedBy(state, op))
  if (pages.length === 0 || pages.some((hva) => hva === KVM_HVA_ERR_BAD || hva === INVALID_GPA)) return []
  const scratch = initialState(state.geo.world)
  const often = pages.map((hva) => invalidationsOf(scratch, hva))
  if (often.includes("for ever")) return []
  const id = often.includes("sometimes") ? "P7" : "P6"
  return [{
    name: `${id} of ${state.geo.world.threads[thread.id].name}`,
    statement: STATEMENTS[id],
    exercisedBy: (branch) => branch.thread === thread.id && branch.step === "gup",
    // Between operations again and again: no operation goes on for ever, so no refresh does.
    met: () => thread.pc === L.idle
  }]
}

/** The goals of a world: one for each thread that refreshes, or for the first of those that are alike. @category constructors @since 0.1.0 */
export const goalsOf = (state: State): ReadonlyArray<Goal> => {
  const { groups } = symmetryOf(state)
  return state.threads
    .filter(({ id }) => groups.every((group) => !group.includes(id) || group[0] === id))
    .flatMap((thread) => goalOf(state, thread))
}
