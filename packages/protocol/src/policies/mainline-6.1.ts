/**
 * Linux 6.1: as 6.12, but the walk takes each gpc->lock for writing at once.
 *
 * The read-locked look came later (with 6.9, by the date of its series). 6.1 has no caches given by host address, so that
 * I-06 cannot happen there; here it can be asked what would have. Other versions were not read.
 *
 * Source: virt/kvm/pfncache.c of 6.1.192.
 *
 * @since 0.1.0
 */
import type { Policy } from "../policy.ts"
import { mainline612 } from "./mainline-6.12.ts"

/** As mainline-6.12, but the walk write-locks every cache. @category policies @since 0.1.0 */
export const mainline61: Policy = {
  ...mainline612,
  name: "mainline-6.1",
  source: "Linux 6.1.192, virt/kvm/pfncache.c",
  summary: "as mainline-6.12, but the walk write-locks every cache",
  startWalk: { when: "before-mmu-lock", look: "write" }
}
