/**
 * Which reductions a search makes. Each keeps every verdict on safety, and each can be left out.
 *
 * @since 0.1.0
 */
import { MOST_THREADS } from "./independence.ts"
import type { Model } from "./model.ts"

/**
 * - `partialOrder`: of threads whose next steps nobody else can interfere with, now or later, only those are moved.
 * - `symmetry`: of states that differ only in which of two alike threads is which, one is kept.
 * - `merge`: a step that interferes with nobody is taken together with the step before it.
 * - `forget`: cells that are written before anything reads them do not tell states apart.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reductions {
  readonly partialOrder: boolean
  readonly symmetry: boolean
  readonly merge: boolean
  readonly forget: boolean
}

/** Every reduction that a model says what is needed for. @category constants @since 0.1.0 */
export const ALL_REDUCTIONS: Reductions = { partialOrder: true, symmetry: true, merge: true, forget: true }

/** The plain state space. @category constants @since 0.1.0 */
export const NO_REDUCTIONS: Reductions = { partialOrder: false, symmetry: false, merge: false, forget: false }

/** The reductions asked for that the model can do. @category constructors @since 0.1.0 */
export const possible = (model: Model, asked: Reductions): Reductions => {
  const printed = model.footprint !== undefined && model.threads.length <= MOST_THREADS
  return {
    partialOrder: asked.partialOrder && printed,
    symmetry: asked.symmetry && model.symmetry !== undefined && model.symmetry.groups.length > 0,
    merge: asked.merge && printed,
    forget: asked.forget && model.forget !== undefined
  }
}

/** Whether paths of the reduced space may be longer than the shortest. @category queries @since 0.1.0 */
export const mayLengthen = ({ merge, partialOrder }: Reductions): boolean => merge || partialOrder
