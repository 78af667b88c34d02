"""Does price run on or revert after a wave, and did the model help?"""
