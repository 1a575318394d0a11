"""`backstep replay`: history done again in a scratch database beside the live one, which is only ever read."""
