/**
 * The entry of a worker that searches the reference model.
 *
 * @since 0.1.0
 */
import { serveWorker } from "../worker.ts"
import type { ReferenceConfig } from "./config.ts"
import { referenceModel } from "./model.ts"
import type { VariantLetter } from "./variant.ts"

serveWorker((given) => {
  const { config, variant } = given as { readonly config: ReferenceConfig; readonly variant: VariantLetter }
  return referenceModel(config, variant)
})
