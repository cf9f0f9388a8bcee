#!/usr/bin/env node
import "../dist/pfnscope.js"
