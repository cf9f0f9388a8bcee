/**
 * Errors of the system, in its own words.
 */
import type { PlatformError } from "effect/PlatformError"

/** "no space left on device", not "Unknown: FileSystem.writeAll (21)". */
export const systemText = ({ message, reason }: PlatformError): string =>
  reason.cause instanceof Error ? /^[A-Z0-9_]+: (.+?)(?:, .*)?$/.exec(reason.cause.message)?.[1] ?? message : message
