/**
 * The canonical form of the working state: alike threads in order, forgotten cells at one value.
 *
 * @since 0.1.0
 */
import type { Model, Symmetry } from "./model.ts"
import type { Reductions } from "./reduction.ts"

/**
 * What puts the working state of a model in canonical form, under the reductions asked for.
 *
 * @category constructors
 * @since 0.1.0
 */
export const canonical = (model: Model, { forget, symmetry }: Reductions): () => void => {
  const drop = forget ? model.forget : undefined
  const sort = symmetry && model.symmetry !== undefined ? inOrder(model.symmetry) : undefined
  if (drop === undefined) return sort ?? nothing
  if (sort === undefined) return drop
  return () => {
    drop()
    sort()
  }
}

const nothing = (): void => {}

/** Insertion sort: groups are small, and mostly in order. */
const inOrder = ({ compare, exchange, groups }: Symmetry) => (): void => {
  for (let g = 0; g < groups.length; g++) {
    const group = groups[g]
    for (let i = 1; i < group.length; i++) {
      for (let j = i; j > 0 && compare(group[j - 1], group[j]) > 0; j--) exchange(group[j - 1], group[j])
    }
  }
}
