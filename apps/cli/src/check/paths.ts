/**
 * The files that a check writes, and how they are named on a command line.
 */
import { basename, join } from "node:path"

/** A name that can be part of a file's. */
const fileName = (name: string): string => name.replaceAll(/[^\w.+-]/g, "_")

/** The log of a counterexample. */
export const logPath = (folder: string, policy: string, property: string): string =>
  join(folder, `${fileName(policy)}-${property}.log`)

/** The checkpoint of a search: in the folder for logs, or the current one. */
export const checkpointPath = (folder: string | undefined, config: string, policy: string): string =>
  join(folder ?? "", `${fileName(basename(config, ".json"))}-${fileName(policy)}.checkpoint`)

/** A word of a shell command. */
export const shellWord = (text: string): string =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
