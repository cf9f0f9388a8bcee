// A policy file that is broken: what pfnscope says of it is in docs/commands.md.
throw new Error("not finished")
