from hypothesis import settings

# No test is judged by the clock: the first call of a compiled function takes seconds, a busy machine takes longer.
settings.register_profile("stillwatch", deadline=None)
settings.load_profile("stillwatch")
