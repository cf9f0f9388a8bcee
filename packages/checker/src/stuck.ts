/**
 * States in which nothing can move any more.
 *
 * @since 0.1.0
 */
import type { Model } from "./model.ts"

/** Whether no thread has an enabled step in the working state. @category queries @since 0.1.0 */
export const isStuck = (model: Model): boolean => {
  for (let t = 0; t < model.threads.length; t++) if (model.ways(t) > 0) return false
  return true
}

/** Whether some thread is not done; of a model that does not say when one is, none is. @category queries @since 0.1.0 */
export const isSomebodyLeft = (model: Model): boolean => {
  if (model.isDone === undefined) return false
  for (let t = 0; t < model.threads.length; t++) if (!model.isDone(t)) return true
  return false
}
