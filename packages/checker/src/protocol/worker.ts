/**
 * The entry of a worker that searches the protocol.
 *
 * @since 0.1.0
 */
import type { Policy, World } from "@pfnscope/protocol"
import { serveWorker } from "../worker.ts"
import { protocolModel } from "./model.ts"

serveWorker((given) => {
  const { policy, world } = given as { readonly policy: Policy; readonly world: World }
  return protocolModel(world, policy)
})
