/**
 * Where the entry of a worker that searches the reference model lies: beside this module, in source as built.
 *
 * @since 0.1.0
 */

/** For `parallelSearch`; its `config` is `{ config, variant }`. @category constants @since 0.1.0 */
export const REFERENCE_WORKER = new URL(
  import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js",
  import.meta.url
)
