/**
 * The state that a decision was expected in, in one line.
 *
 * @since 0.1.0
 */
import { rangeText } from "@pfnscope/projections"
import { hex, LABELS, OPEN } from "@pfnscope/protocol"
import type { State } from "@pfnscope/protocol"
import type { Operation } from "./operation.ts"

/** What a decision about a cache (-1: none) by an operation (if any) can rest on. */
export const stateText = (s: State, gpc: number, op: Operation | undefined): string => {
  const { kvm } = s
  const parts = [
    `mn_active_invalidate_count ${kvm.count}`,
    `mmu_invalidate_seq ${kvm.seq}`,
    `gpc_invalidate_seq ${kvm.gpcSeq}`,
    `in progress ${kvm.inProgress}${kvm.inProgress > 0 ? ` gfn [${hex(kvm.rangeStart)}, ${hex(kvm.rangeEnd)})` : ""}`,
    `in flight ${inFlightText(s)}`
  ]
  if (op !== undefined) {
    const t = s.threads[op.thread]!
    parts.push(`at ${LABELS[t.pc]}${t.snapshot >= 0 ? `, snapshot ${t.snapshot}` : ""}`)
  }
  const cache = gpc < 0 ? undefined : s.gpcs[gpc]
  if (cache !== undefined) {
    parts.push(
      `gpc/${gpc} uhva ${hex(cache.uhva)} ${cache.active === 1 ? "active" : "inactive"} ` +
        `${cache.valid === 1 ? "valid" : "invalid"} generation ${cache.generation} of ${kvm.generation}`
    )
  }
  return parts.join(", ")
}

const inFlightText = (s: State): string => {
  const ranges: Array<string> = []
  for (const { id } of s.threads) {
    if (s.kvm.openPhase(id, 0) !== OPEN.none) ranges.push(rangeText(s.kvm.openStart(id, 0), s.kvm.openEnd(id, 0)))
  }
  return ranges.length === 0 ? "none" : ranges.join(" ")
}
