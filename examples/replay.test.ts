// Replays a log in a test: a run of mainline-6.12 on a cache in memory that no memslot covers. The log says that a freed
// page was accessed; the replay shows the state in which it happened, without running anything again.
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, layer } from "@effect/vitest"
import { file } from "@pfnscope/journal"
import { eventCodec } from "@pfnscope/machine"
import { atSeq, fold, stateAt, violations } from "@pfnscope/projections"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"

const path = fileURLToPath(new URL("logs/hva-cache.log", import.meta.url))

layer(NodeFileSystem.layer)("a log of mainline-6.12", (it) => {
  it.effect("has a use after free, and at that position the cache holds a page that nothing maps", () =>
    Effect.gen(function*() {
      const log = yield* file(eventCodec, { path, mode: "read" })
      const found = yield* fold(violations, log.read())
      const first = found.list.find(({ property }) => property === "P1")
      assert.isDefined(first)
      const { state } = yield* stateAt(log, atSeq(first!.seq))
      const [gpc] = state.gpcs
      assert.strictEqual(gpc!.valid, 1)
      assert.strictEqual(state.mmu.frame(gpc!.pfn), -1, "the frame's life is over")
      assert.notStrictEqual(state.mmu.pfn(state.geo.pageOf(gpc!.uhva)), gpc!.pfn)
    }))
})
