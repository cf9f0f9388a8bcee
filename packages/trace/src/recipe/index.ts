/**
 * Recipes: how to record, on a host, what the reports are made of.
 *
 * @since 0.1.0
 */
export type { Build } from "./builds.ts"
export { BUILDS, KERNELS } from "./kernels.ts"
export type { Kernel } from "./kernels.ts"
export { recipeText, TOOLS } from "./script.ts"
export type { RecipeOptions, Tool } from "./script.ts"
