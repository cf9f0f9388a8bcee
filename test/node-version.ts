// `npm ci --ignore-scripts` would leave the machine's own Node in charge; say so instead of failing somewhere deep.
const [major, minor] = process.versions.node.split(".").map(Number) as [number, number]
if (major < 24 || (major === 24 && minor < 11)) {
  throw new Error(
    `pfnscope needs Node 24.11 or newer, this is ${process.versions.node}: run "npm ci" without --ignore-scripts`
  )
}
