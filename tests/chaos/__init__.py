"""The fault campaign: one window per fault, each on a deployment of real processes of its own."""
