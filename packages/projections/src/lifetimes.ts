/**
 * Page lifetimes, and the windows in which a cache was valid for a page that it should no longer use.
 *
 * A frame lives from its allocation (or from the first time the log shows it mapped) until it is freed; a stale window
 * of a cache runs from the change of the page table entry under its valid mapping until the mapping is invalid, or
 * replaced. Between range_start and range_end of a sound protocol there is none.
 *
 * Only a log that shows page table entries has any: a simulated run's.
 *
 * @since 0.1.0
 */
import type { Envelope } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"
import type { Projection } from "./projection.ts"

/** A point of a log: position and time (ns). @category models @since 0.1.0 */
export interface Point {
  readonly seq: number
  readonly t: number
}

/** A frame's life; `freed` is undefined while it lives. `mappings` counts the entries that came to map it. @category models @since 0.1.0 */
export interface FrameLife {
  readonly pfn: number
  readonly born: Point
  mappings: number
  freed: Point | undefined
}

/**
 * A cache was valid for `pfn` at `uhva` (its page, bytes) from `from` on though the entry had changed; `to` is undefined
 * while it still is. `freed` is when the frame was freed in between, `accesses` how often it was used.
 *
 * @category models
 * @since 0.1.0
 */
export interface StaleWindow {
  readonly gpc: number
  readonly uhva: number
  readonly pfn: number
  readonly from: Point
  to: Point | undefined
  freed: Point | undefined
  accesses: number
}

/** The frames and the windows of a log. @category models @since 0.1.0 */
export interface Lifetimes {
  readonly frames: Map<number, FrameLife>
  readonly windows: Array<StaleWindow>
  /** The mapping of each valid cache. */
  readonly valid: Map<number, { readonly uhva: number; readonly pfn: number }>
  /** What each page of user memory maps. */
  readonly entries: Map<number, number>
}

const PAGE = 4096

const pageOf = (hva: number): number => hva - hva % PAGE

const lifeOf = (state: Lifetimes, pfn: number, at: Point): FrameLife => {
  const known = state.frames.get(pfn)
  if (known !== undefined) return known
  const life: FrameLife = { pfn, born: at, mappings: 0, freed: undefined }
  state.frames.set(pfn, life)
  return life
}

const openWindows = (state: Lifetimes, wanted: (window: StaleWindow) => boolean): ReadonlyArray<StaleWindow> =>
  state.windows.filter((window) => window.to === undefined && wanted(window))

/** The entry of a page changed: whoever is valid for the frame it mapped is stale from now on. */
const entryChanged = (state: Lifetimes, hva: number, pfn: number, at: Point): void => {
  const page = pageOf(hva)
  state.entries.set(page, pfn)
  if (pfn > 0) lifeOf(state, pfn, at).mappings++
  for (const [gpc, mapping] of state.valid) {
    if (pageOf(mapping.uhva) === page && mapping.pfn !== pfn) opened(state, gpc, mapping, at)
  }
}

const opened = (
  state: Lifetimes,
  gpc: number,
  { pfn, uhva }: { readonly uhva: number; readonly pfn: number },
  from: Point
) => {
  if (openWindows(state, (window) => window.gpc === gpc).length > 0) return
  state.windows.push({ gpc, uhva: pageOf(uhva), pfn, from, to: undefined, freed: undefined, accesses: 0 })
}

/** A mapping became valid: at once stale if its page maps something else by then. */
const published = (state: Lifetimes, gpc: number, uhva: number, pfn: number, at: Point): void => {
  invalidated(state, gpc, at)
  state.valid.set(gpc, { uhva, pfn })
  const entry = state.entries.get(pageOf(uhva))
  if (entry !== undefined && entry !== pfn) opened(state, gpc, { uhva, pfn }, at)
}

const invalidated = (state: Lifetimes, gpc: number, at: Point): void => {
  state.valid.delete(gpc)
  for (const window of openWindows(state, (open) => open.gpc === gpc)) window.to = at
}

/** Lifetimes and stale windows, as a projection. @category projections @since 0.1.0 */
export const lifetimes: Projection<Lifetimes> = {
  name: "lifetimes",
  version: 1,
  init: () => ({ frames: new Map(), windows: [], valid: new Map(), entries: new Map() }),
  evolve: (state, envelope: Envelope<Event>) => {
    const { data: e, seq, t } = envelope
    const at = { seq, t }
    switch (e._tag) {
      case "FrameAllocated":
        lifeOf(state, e.pfn, at)
        break
      case "PageFaulted":
      case "PteChanged":
        entryChanged(state, e.hva, e.pfn, at)
        break
      case "PageFreed":
        lifeOf(state, e.pfn, at).freed = at
        for (const window of openWindows(state, ({ pfn }) => pfn === e.pfn)) window.freed = at
        break
      case "Published":
        published(state, e.gpc, e.uhva, e.pfn, at)
        break
      case "KhvaAccessed":
        for (const window of openWindows(state, ({ gpc }) => gpc === e.gpc)) window.accesses++
        break
      case "GpcInvalidated":
      case "ValidCleared":
      case "RefreshFailed":
      case "Deactivated":
        invalidated(state, e.gpc, at)
        break
      default:
    }
    return state
  }
}
