/**
 * A log as a database of SQLite.
 *
 * @since 0.1.0
 */
export { DATABASE_VERSION, DatabaseExists, DatabaseFailed, type ExportProgress, writeDatabase } from "./database.ts"
