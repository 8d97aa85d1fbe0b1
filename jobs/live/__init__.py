"""The live job: from a claim of marked calls, step by step, to their events on the stream."""
