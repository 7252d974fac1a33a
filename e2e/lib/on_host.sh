#!/bin/sh
# What puppeteer starts instead of a browser that is to run on another host: see launchOn in browsers.mjs.
exec $E2E_ENTRY "$E2E_PROGRAM" "$@"
